package play

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// Kind says what a line of a transcript tells of.
type Kind string

// The kinds of lines.
const (
	KindFact    Kind = "fact"
	KindCommand Kind = "command"
	KindReply   Kind = "reply"
)

// Transcript is what happened in a play.
type Transcript struct {
	Saga        string
	Version     int
	Lines       []Line
	Status      saga.Status
	Stopped     string // why the play stopped before the saga ended; empty: it ended
	Abort       *saga.Abort
	Certificate *saga.Certificate // nil: the saga did not end
	Output      json.RawMessage   // nil: none
	Attention   []saga.Attention
	Steps       []Step
}

// Line is one thing that happened.
type Line struct {
	After time.Duration // since the start, in virtual time
	Kind  Kind
	Text  string
}

// Step is where a step ended up.
type Step struct {
	Name         string
	Status       saga.StepStatus
	Effect       saga.Effect
	Attempts     int
	UndoAttempts int
}

func (t *Transcript) add(after time.Duration, kind Kind, text string) {
	t.Lines = append(t.Lines, Line{after, kind, text})
}

func (t *Transcript) fact(after time.Duration, f *saga.Fact) {
	text := f.Why
	if text == "" {
		text = strings.TrimSpace(string(f.Type) + " " + f.Step + " " + string(f.Reason))
	}
	if f.Message != "" && !strings.Contains(text, f.Message) {
		text += " (" + f.Message + ")"
	}
	t.add(after, KindFact, text)
}

func (t *Transcript) command(after time.Duration, c *saga.Command) {
	text := fmt.Sprintf("%s: %s", c.Participant, c.Name)
	if c.Attempt > 1 {
		text += fmt.Sprintf(" (attempt %d)", c.Attempt)
	}
	t.add(after, KindCommand, text+" "+shown(c.Payload))
}

func (t *Transcript) reply(after time.Duration, r *saga.Replied) {
	text := fmt.Sprintf("%s %s: %s", r.Step, r.Verb, r.Outcome)
	if r.Code != "" {
		text += " (" + r.Code + ")"
	}
	if r.Value != nil {
		text += " " + shown(r.Value)
	}
	t.add(after, KindReply, text)
}

// shown cuts a long payload.
func shown(raw json.RawMessage) string {
	const most = 200
	text := strings.Join(strings.Fields(string(raw)), " ")
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:most]) + "..."
	}
	return text
}

func (t *Transcript) finish(def *saga.Definition, in *saga.Instance) {
	t.Status, t.Abort, t.Certificate, t.Output, t.Attention = in.Status, in.Abort, in.Certificate, in.Output, in.Attention
	for i, s := range in.Steps {
		t.Steps = append(t.Steps, Step{def.Steps[i].Name, s.Status, s.Effect, s.Forward.Attempts, s.Backward.Attempts})
	}
}

// String is the transcript for a terminal. `>` is a command that leaves, `<` an answer that comes.
func (t *Transcript) String() string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s, version %d\n\n", t.Saga, t.Version)
	for _, line := range t.Lines {
		mark := " "
		switch line.Kind {
		case KindCommand:
			mark = ">"
		case KindReply:
			mark = "<"
		case KindFact:
		}
		fmt.Fprintf(&out, "%10s %s %s\n", line.After, mark, line.Text)
	}
	out.WriteByte('\n')
	t.summary(&out)
	table := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "\nstep\tstatus\teffect\tattempts\tundo attempts")
	for _, s := range t.Steps {
		_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%d\n", s.Name, s.Status, s.Effect, s.Attempts, s.UndoAttempts)
	}
	_ = table.Flush() // writes to memory
	return out.String()
}

func (t *Transcript) summary(out *strings.Builder) {
	fmt.Fprintf(out, "status     %s\n", t.Status)
	if t.Stopped != "" {
		fmt.Fprintf(out, "stopped    %s\n", t.Stopped)
	}
	if t.Abort != nil {
		fmt.Fprintf(out, "because    %s\n", strings.TrimSpace(string(t.Abort.Reason)+" "+t.Abort.Step))
	}
	if c := t.Certificate; c != nil {
		fmt.Fprintf(out, "verdict    %s\n", c.Verdict)
		for _, r := range c.Residue {
			fmt.Fprintf(out, "residue    %s: %s\n", r.Step, r.Effect)
		}
	}
	for _, a := range t.Attention {
		fmt.Fprintf(out, "attention  %s\n", strings.TrimSpace(string(a.Reason)+" "+a.Step))
	}
	if t.Output != nil {
		fmt.Fprintf(out, "output     %s\n", shown(t.Output))
	}
}
