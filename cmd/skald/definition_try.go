package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/orchestrator/definition"
	"github.com/skaldhq/skald/orchestrator/definition/play"
)

// definitionTryCmd plays a definition.
type definitionTryCmd struct {
	File  string   `arg:"" help:"YAML or JSON file; - is standard input."`
	Input string   `short:"i" default:"null" placeholder:"JSON" help:"The input: JSON, @file, or - for standard input."`
	Reply []string `short:"r" sep:"none" placeholder:"STEP=OUTCOME" help:"What a step's participant answers; without one it succeeds. May be repeated."`
}

// Help is shown under the command's usage.
func (definitionTryCmd) Help() string {
	return `Plays one saga in virtual time, through the same rules as the engine, and shows every command, answer and decision.

A reply is STEP[.VERB]=OUTCOME[*TIMES][:CODE]. Outcomes are succeeded, rejected, failed, inprogress, unknown, and timeout for no answer; verbs are execute, compensate and probe.

Examples:

  skald definition try order.yaml --input @order.json
  skald definition try order.yaml --input @order.json --reply reserve-items=rejected:sold_out
  skald definition try order.yaml --input @order.json -r charge-payment=failed*2 -r create-order.compensate=timeout*3`
}

// Run plays it.
func (cmd *definitionTryCmd) Run(term *console) error {
	src, err := readFile(term.in, cmd.File)
	if err != nil {
		return err
	}
	def, err := definition.Read(cmd.File, src)
	if err != nil {
		return err
	}
	input, err := readArgument(term.in, cmd.Input)
	if err != nil {
		return err
	}
	var replies []play.Reply
	for _, text := range cmd.Reply {
		reply, err := play.ParseReply(text)
		if err != nil {
			return &hinted{code: exitUsage, err: err}
		}
		replies = append(replies, reply)
	}
	played, err := play.Run(def, input, replies)
	if err != nil {
		return &hinted{code: exitUsage, err: err}
	}
	if term.json {
		return writeJSON(term.out, tried(played))
	}
	printPlay(term, played)
	return nil
}

func printPlay(term *console, t *play.Transcript) {
	s, w := term.style, term.out
	fmt.Fprintf(w, "%s%s\n\n", s.bold(t.Saga), s.dim(fmt.Sprintf(" v%d, in virtual time", t.Version)))
	for _, line := range t.Lines {
		mark, paint := " ", s.plain
		switch line.Kind {
		case play.KindCommand:
			mark, paint = "→", s.out
		case play.KindReply:
			mark, paint = "←", s.dim
		case play.KindFact:
		}
		fmt.Fprintf(w, "%s  %s %s\n", s.dim(padLeft(took(line.After), 9)), paint(mark), paint(plain(line.Text)))
	}
	fmt.Fprintf(w, "\n%s", statusPaint(s, client.Status(t.Status))(string(t.Status)))
	if t.Certificate != nil {
		fmt.Fprintf(w, ", %s", words(string(t.Certificate.Verdict)))
	}
	if t.Stopped != "" {
		fmt.Fprintf(w, ": %s", t.Stopped)
	}
	fmt.Fprint(w, "\n\n")
	rows := [][]string{{"", "step", "status", "effect", "tries"}}
	for _, st := range t.Steps {
		mark, _ := stepMark(string(st.Status))
		tries := ""
		if st.Attempts > 0 {
			tries = fmt.Sprint(st.Attempts)
		}
		if st.UndoAttempts > 0 {
			tries += fmt.Sprintf(" ↺%d", st.UndoAttempts)
		}
		rows = append(rows, []string{mark, st.Name, words(string(st.Status)), words(string(st.Effect)), tries})
	}
	table(w, s, rows, nil)
	for _, a := range t.Attention {
		fmt.Fprintf(w, "%s %s%s\n", s.warn("needs attention:"), words(string(a.Reason)), of(a.Step))
	}
	if t.Certificate != nil {
		for _, r := range t.Certificate.Residue {
			fmt.Fprintf(w, "%s %s: %s\n", s.bad("left:"), r.Step, words(string(r.Effect)))
		}
	}
	if out := compact(t.Output); out != "" {
		fmt.Fprintf(w, "%s %s\n", s.bold("output"), clip(out, 200))
	}
}

// triedLine and triedSaga are what --output json says of a play.
type (
	triedLine struct {
		AfterMS int64  `json:"after_ms"`
		Kind    string `json:"kind"`
		Text    string `json:"text"`
	}
	triedStep struct {
		Step         string `json:"step"`
		Status       string `json:"status"`
		Effect       string `json:"effect"`
		Attempts     int    `json:"attempts"`
		UndoAttempts int    `json:"undo_attempts"`
	}
	triedSaga struct {
		Saga      string          `json:"saga"`
		Version   int             `json:"version"`
		Status    string          `json:"status"`
		Stopped   string          `json:"stopped,omitempty"`
		Verdict   string          `json:"verdict,omitempty"`
		Residue   []string        `json:"residue,omitempty"`
		Attention []string        `json:"attention,omitempty"`
		Output    json.RawMessage `json:"output,omitempty"`
		Steps     []triedStep     `json:"steps"`
		Lines     []triedLine     `json:"lines"`
	}
)

func tried(t *play.Transcript) triedSaga {
	out := triedSaga{Saga: t.Saga, Version: t.Version, Status: string(t.Status), Stopped: t.Stopped, Output: t.Output}
	if c := t.Certificate; c != nil {
		out.Verdict = string(c.Verdict)
		for _, r := range c.Residue {
			out.Residue = append(out.Residue, r.Step)
		}
	}
	for _, a := range t.Attention {
		out.Attention = append(out.Attention, strings.TrimSpace(string(a.Reason)+" "+a.Step))
	}
	for _, st := range t.Steps {
		out.Steps = append(out.Steps, triedStep{st.Name, string(st.Status), string(st.Effect), st.Attempts, st.UndoAttempts})
	}
	for _, line := range t.Lines {
		out.Lines = append(out.Lines, triedLine{int64(line.After / time.Millisecond), string(line.Kind), line.Text})
	}
	return out
}
