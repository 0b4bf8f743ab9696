package saga_test

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator/saga"
)

var updateTable = flag.Bool("update", false, "write testdata/table.golden anew; read the difference against the rules")

// situation is a step x in some status, and how it got there.
type situation struct {
	name  string
	steps string // as in the scripts
	way   string // the commands that lead there
}

// The definitions of the table. k only keeps the saga from ending.
const (
	tableStep      = "a\nx max=2 probe returns\nk after= timeout=1h"
	tableBadUndo   = "a\nx max=1 undo=fails\nk after= timeout=1h"
	tableBare      = "a\nx effect-none max=2\nk after= timeout=1h"
	tablePivot     = "a\nx pivot max=1\nr retriable"
	tablePivotUndo = "a\nx pivot undo=output max=1\nr retriable"
	tableRetriable = "p pivot\nx retriable max=1 probe returns\nk retriable after=p timeout=1h"
	tableTwice     = "p pivot\nx retriable max=2 probe returns\nk retriable after=p timeout=1h"
	tableRejecting = "a\nx max=2 probe returns\nk after= timeout=1h\ny after= timeout=1h"
)

func situations() []situation {
	const begin, reached, passed = "start", "start; reply a execute succeeded", "start; reply p execute succeeded"
	const aborting = reached + "; reply y execute rejected code=no"
	const undoing = aborting + "; reply x execute failed code=broke"
	return []situation{
		{"pending", tableStep, begin},
		{"held", tableStep, "start; act pause; reply a execute succeeded"},
		{"in_flight", tableStep, reached},
		{"in_flight, probing", tableStep, reached + "; wake 5s"},
		{"in_flight, effect: none", tableBare, reached},
		{"backing_off", tableStep, reached + "; reply x execute failed code=broke"},
		{"succeeded", tableStep, reached + "; reply x execute succeeded"},
		{"succeeded, by an operator", tableStep, reached + "; act complete x output=" + goodOutput},
		{"skipped, by its condition", "a\nx when=false\nk after= timeout=1h", reached},
		{"skipped, by an operator, after its command had been refused", tableStep, reached + "; publish-refused x execute; act skip x"},
		{"stuck: expression", "a\nx payload=fails\nk after= timeout=1h", reached},
		{"stuck: bad_output", tableStep, reached + "; reply x execute succeeded output=[]"},
		{"stuck: unpublishable, effect none", tableStep, reached + "; publish-refused x execute"},
		{"stuck: unpublishable, effect possible", tableStep, reached + "; publish-refused x execute maybe-sent"},

		{"pivot: pending, cancelled", tablePivot, "start; act cancel"},
		{"pivot: in_flight", tablePivot, reached},
		{"pivot: in_flight, a cancel waits", tablePivot, reached + "; act cancel"},
		{"pivot: backing_off, exhausted", tablePivot, reached + "; reply x execute failed code=broke"},
		{"pivot: stuck, unpublishable, effect none", tablePivot, reached + "; publish-refused x execute"},
		{"pivot: succeeded", tablePivot, reached + "; reply x execute succeeded"},
		{"pivot: rejected", tablePivot, reached + "; reply x execute rejected code=no"},
		{"pivot: rejected, by an operator", tablePivot, reached + "; act reject x"},
		{"pivot with a compensation: rejected", tablePivotUndo, reached + "; act pause; reply x execute rejected code=no"},
		{"pivot with a compensation: unknown, under a pause", tablePivotUndo, reached + "; act pause; act reject x"},

		{"retriable: in_flight", tableRetriable, passed},
		{"retriable: backing_off, exhausted", tableRetriable, passed + "; reply x execute failed code=broke"},
		{"retriable: held before its next edition", tableTwice, passed + "; act pause; reply x execute rejected code=not_found"},
		{"retriable: backing_off before its next edition", tableRetriable, passed + "; reply x execute rejected code=not_found"},
		{"retriable: stuck, rejected", tableRetriable, passed + "; reply x execute rejected code=no"},
		{"retriable: stuck, bad_output", tableRetriable, passed + "; reply x execute succeeded output=[]"},
		{"retriable: succeeded", tableRetriable, passed + "; reply x execute succeeded"},

		{"aborting: pending", tableRejecting, "start; reply y execute rejected code=no"},
		{"aborting: held", tableRejecting, "start; act pause; reply a execute succeeded; reply y execute rejected code=no"},
		{"aborting: in_flight", tableRejecting, aborting},
		{"aborting: rejected", tableRejecting, reached + "; reply x execute rejected code=no"},
		{"aborting: rejected, under a pause", tableRejecting, reached + "; act pause; reply x execute rejected code=no"},
		{"aborting: succeeded, under a pause", tableRejecting, reached + "; reply x execute succeeded; act pause; reply y execute rejected code=no"},
		{"aborting: unknown, under a pause", tableRejecting, reached + "; reply x execute failed code=broke; act pause; reply y execute rejected code=no"},
		{"aborting: unknown, lifted by an operator", tableRejecting, reached + "; reply x execute failed code=broke; act pause; reply y execute rejected code=no; act complete x"},
		{"aborting: stuck, expression", "a\nx payload=fails\nk after= timeout=1h\ny after= timeout=1h", aborting},

		{"undoing, effect possible", tableRejecting, undoing},
		{"undoing, effect certain", tableRejecting, aborting + "; reply x execute succeeded"},
		{"undo_backing_off", tableRejecting, undoing + "; reply x compensate failed code=broke"},
		{"undone", tableRejecting, undoing + "; reply x compensate succeeded"},
		{"undone, nothing_to_undo", tableRejecting, undoing + "; reply x compensate succeeded code=nothing_to_undo"},
		{"undone, by an operator", tableRejecting, undoing + "; reply x compensate rejected code=no; act complete x"},
		{"undo_failed, rejected", tableRejecting, undoing + "; reply x compensate rejected code=no"},
		{"undo_failed, its expression fails", tableBadUndo, reached + "; reply x execute failed code=broke"},
		{"undo_failed, retried", tableRejecting, undoing + "; reply x compensate rejected code=no; act retry x"},
		{"waived", tableRejecting, undoing + "; reply x compensate rejected code=no; act waive x"},

		{"completed: succeeded", "x", "start; reply x execute succeeded"},
		{"completed: succeeded, by an operator", "x", "start; act complete x"},
		{"compensated: undone", "x max=1", "start; reply x execute failed code=broke; reply x compensate succeeded"},
		{"compensated: undone, nothing_to_undo", "x max=1", "start; reply x execute failed code=broke; reply x compensate succeeded code=nothing_to_undo"},
		{"compensated: rejected", "x", "start; reply x execute rejected code=no"},
		{"compensated: rejected pivot, by an operator", "x pivot", "start; act reject x"},
		{"compensated: waived", "x max=1", "start; reply x execute failed code=broke; reply x compensate rejected code=no; act waive x"},
		{"abandoned: in_flight", "x", "start; act abandon"},
		{"abandoned: undoing", "x max=1", "start; reply x execute failed code=broke; act abandon"},
		{"abandoned: undo_failed", "x max=1", "start; reply x execute failed code=broke; reply x compensate rejected code=no; act abandon"},
	}
}

// tableEvents are the columns. `wake` is what happens when the saga is looked at as late as it wants to be.
func tableEvents() []string {
	events := []string{}
	for _, outcome := range []string{"succeeded", "rejected code=no", "rejected code=not_found", "failed code=broke", "inprogress", "unknown"} {
		events = append(events, "reply x execute "+outcome)
	}
	events = append(events, "reply x execute succeeded output=[]")
	for _, outcome := range []string{"succeeded", "rejected code=no", "failed code=broke", "unknown"} {
		events = append(events, "reply x probe "+outcome)
	}
	for _, outcome := range []string{"succeeded", "succeeded code=nothing_to_undo", "rejected code=no", "failed code=broke", "inprogress", "unknown"} {
		events = append(events, "reply x compensate "+outcome)
	}
	events = append(events, "wake next", "publish-refused x execute", "publish-refused x execute maybe-sent", "publish-refused x compensate")
	events = append(events, "act rebind version=2")
	for _, a := range saga.Actions() {
		if !a.NeedsStep() {
			events = append(events, "act "+string(a))
			continue
		}
		events = append(events, fmt.Sprintf("act %s x", a))
		if a == saga.ActionRetry {
			events = append(events, "act retry x payload={}")
		}
		if a == saga.ActionComplete {
			events = append(events, "act complete x output="+goodOutput)
		}
	}
	return events
}

// TestDecide_Table is the table of every status of a step against every event: what the step, the saga and the attention are
// then, or why the event is refused. The rules are in its rows; -update writes it anew.
func TestDecide_Table(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	seen := map[saga.StepStatus]bool{}
	for _, s := range situations() {
		before := s.reach(t)
		x := before.in.Steps[before.def.StepIndex("x")]
		seen[x.Status] = true
		fmt.Fprintf(&b, "%s\n", s.name)
		fmt.Fprintf(&b, "    %-50s %s\n", "(is)", before.row())
		refused := map[string][]string{}
		for _, event := range tableEvents() {
			row := s.after(t, event)
			if strings.HasPrefix(row, "refused") || row == "not asked" {
				refused[row] = append(refused[row], strings.ReplaceAll(event, " x", ""))
				continue
			}
			fmt.Fprintf(&b, "    %-50s %s\n", event, row)
		}
		for _, why := range slices.Sorted(maps.Keys(refused)) {
			fmt.Fprintf(&b, "    %-30s %s\n", why, strings.Join(refused[why], ", "))
		}
		b.WriteByte('\n')
	}
	for _, status := range saga.StepStatuses() {
		require.True(t, seen[status], "no situation has a step that is %s", status)
	}
	const golden = "testdata/table.golden"
	if *updateTable {
		require.NoError(t, os.WriteFile(golden, []byte(b.String()), 0o644))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(strings.Split(string(want), "\n"), strings.Split(b.String(), "\n")), "-table.golden +Decide; -update writes it anew")
}

// reach plays the way to a situation.
func (s situation) reach(t *testing.T) *script {
	t.Helper()
	sc := &script{at: epoch(), sent: map[legKey]saga.Sent{}}
	sc.run(t, &datadriven.TestData{Cmd: "define", Input: s.steps})
	sc.run(t, &datadriven.TestData{Cmd: "version", Input: s.steps, CmdArgs: []datadriven.CmdArg{{Key: "2"}}})
	for command := range strings.SplitSeq(s.way, "; ") {
		sc.run(t, parseCommand(t, command))
	}
	return sc
}

func parseCommand(t *testing.T, command string) *datadriven.TestData {
	t.Helper()
	d := &datadriven.TestData{Cmd: strings.Fields(command)[0]}
	for _, w := range strings.Fields(command)[1:] {
		key, value, ok := strings.Cut(w, "=")
		arg := datadriven.CmdArg{Key: key}
		if ok {
			arg.Vals = []string{value}
		}
		d.CmdArgs = append(d.CmdArgs, arg)
	}
	return d
}

// after plays one event more and says what differs.
func (s situation) after(t *testing.T, event string) string {
	t.Helper()
	sc := s.reach(t)
	if event == "wake next" && sc.in.Status.Terminal() {
		return "-"
	}
	before := sc.row()
	out, err := sc.try(t, parseCommand(t, event))
	var refused *saga.RefusedError
	var notAsked *saga.NotAskedError
	switch {
	case errors.As(err, &refused):
		return "refused: " + refused.Code
	case errors.As(err, &notAsked):
		return "not asked"
	}
	require.NoError(t, err)
	row := sc.row()
	if row == before {
		row = "-"
	}
	if out.Outcome == saga.Ignored {
		row += " (ignored)"
	}
	for _, c := range out.Commands {
		row += fmt.Sprintf(" -> %s %s %s", c.Step, c.Verb, number(c.Edition, c.Attempt))
	}
	return row
}

// row is the step's and the saga's state on one line.
func (s *script) row() string {
	x := s.in.Steps[s.def.StepIndex("x")]
	row := fmt.Sprintf("%s %s", x.Status, x.Effect)
	if x.Disputed {
		row += " disputed"
	}
	row += ", " + string(s.in.Status)
	if s.in.Pause != nil {
		row += " paused"
	}
	if s.in.CancelBy != nil {
		row += " cancel waits"
	}
	if c := s.in.Certificate; c != nil {
		row += " " + string(c.Verdict)
	}
	var attention []string
	for _, a := range s.in.Attention {
		attention = append(attention, strings.TrimSuffix(string(a.Reason)+"("+a.Step+")", "(x)"))
	}
	slices.Sort(attention)
	if len(attention) > 0 {
		row += ", attention " + strings.Join(attention, " ")
	}
	return row
}
