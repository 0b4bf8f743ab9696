package participants_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/participants"
	"github.com/skaldhq/skald/participants/wire"
)

var update = flag.Bool("update", false, "rewrite testdata/rules.txt")

// TestRules_Table walks every rule over every row that it may meet. SDKs in other languages read the file: a rule of theirs that
// differs in any line is not this protocol. -update writes it; read the difference.
func TestRules_Table(t *testing.T) {
	t.Parallel()
	const path = "testdata/rules.txt"
	got := ruleTable()
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err, "run the test with -update to write it")
	require.Empty(t, cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")), "-%s +now; -update writes it anew", path)
}

const ruleTableHead = `# What a row that is there means for a command, for every row that a rule may meet.
#
#   RULE EDITION | row STATE EDITION of VERB [CODE] [settled OUTCOME] -> THEN [OUTCOME CODE OUTPUT] [| put STATE EDITION of VERB CODE]
#
# The row's command id is that of its verb and edition, and so is that of what is put. Output o1 is the row's, o2 the handler's.

`

func ruleTable() string {
	var b strings.Builder
	b.WriteString(ruleTableHead)
	executes := []participants.State{
		participants.Claimed, participants.Succeeded, participants.Rejected, participants.CompensateTombstone, participants.ProbeTombstone,
	}
	for edition := range 3 {
		for rowEdition := range 3 {
			for _, state := range executes {
				row := tableRow(state, rowEdition)
				line(&b, "execute", edition, row, "", participants.RuleExecute(tableCommand(wire.Execute, edition), row))
				line(&b, "undo", edition, row, "", participants.RuleUndo(tableCommand(wire.Compensate, edition), row))
				line(&b, "probe", edition, row, "", participants.RuleProbe(tableCommand(wire.Probe, edition), row))
				for _, outcome := range []wire.Outcome{wire.Succeeded, wire.Rejected} {
					claimed := participants.Claim(tableCommand(wire.Execute, edition))
					result := participants.Result{Outcome: outcome, Code: "mine", Output: []byte(`"o2"`)}
					line(&b, "settle", edition, row, outcome, participants.RuleSettle(claimed, result, row))
				}
			}
			for _, state := range executes[:3] {
				row := tableRow(state, rowEdition)
				row.CommandID = wire.CommandID(tableSaga(), "pay", wire.Compensate, rowEdition)
				line(&b, "compensate", edition, row, "", participants.RuleCompensate(tableCommand(wire.Compensate, edition), row))
				if row.Code = wire.CodeNothingToUndo; state == participants.Succeeded {
					line(&b, "compensate", edition, row, "", participants.RuleCompensate(tableCommand(wire.Compensate, edition), row))
				}
			}
		}
	}
	return b.String()
}

func tableSaga() wire.ID { return wire.ID{15: 1} }

func tableCommand(verb wire.Verb, edition int) *wire.Command {
	id := wire.CommandID(tableSaga(), "pay", verb, edition)
	return &wire.Command{ID: id, SagaID: tableSaga(), Step: "pay", Verb: verb, Edition: edition}
}

func tableRow(state participants.State, edition int) participants.Row {
	verb := wire.Execute
	if state == participants.CompensateTombstone {
		verb = wire.Compensate
	}
	row := participants.Row{CommandID: wire.CommandID(tableSaga(), "pay", verb, edition), Edition: edition, State: state}
	switch state {
	case participants.Succeeded, participants.Rejected:
		row.Code, row.Output = "stored", []byte(`"o1"`)
	case participants.ProbeTombstone:
		row.Code = wire.CodeNotFound
	case participants.Claimed, participants.CompensateTombstone:
	}
	return row
}

func line(b *strings.Builder, rule string, edition int, row participants.Row, settled wire.Outcome, r participants.Ruling) {
	fmt.Fprintf(b, "%s %d | row %s", rule, edition, rowText(row))
	if settled != "" {
		fmt.Fprintf(b, " settled %s", settled)
	}
	switch r.Then {
	case participants.ThenAnswer:
		words := []string{"answer", string(r.Result.Outcome), r.Result.Code, strings.Trim(string(r.Result.Output), `"`)}
		fmt.Fprintf(b, " -> %s", strings.Join(strings.Fields(strings.Join(words, " ")), " "))
	case participants.ThenRun:
		b.WriteString(" -> run")
	case participants.ThenAsk:
		b.WriteString(" -> ask")
	}
	if r.Put != nil {
		fmt.Fprintf(b, " | put %s", rowText(*r.Put))
	}
	b.WriteByte('\n')
}

func rowText(row participants.Row) string {
	verb := wire.Execute
	if row.CommandID == wire.CommandID(tableSaga(), "pay", wire.Compensate, row.Edition) {
		verb = wire.Compensate
	}
	text := fmt.Sprintf("%s %d of %s", row.State, row.Edition, verb)
	if row.Code != "" {
		text += " " + row.Code
	}
	return text
}
