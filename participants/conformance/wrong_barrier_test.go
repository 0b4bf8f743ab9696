package conformance

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/skaldhq/skald/participants"
	"github.com/skaldhq/skald/participants/wire"
)

// wrongBarriers take, forget or mix up what was answered.
func wrongBarriers() []wrong {
	seen := func() func(w *world, c *wire.Command) bool {
		known := map[string]bool{}
		return func(_ *world, c *wire.Command) bool {
			key := fmt.Sprint(c.ID, c.Attempt)
			was := known[key]
			known[key] = true
			return was
		}
	}
	return []wrong{
		{
			name: "DropsDuplicates", silent: seen(),
			fails: []string{"duplicate", "compensation-duplicate", "crash"},
		},
		{
			name: "RunsEachAttempt", duringRun: func(w *world, c *wire.Command) {
				if row, ok := w.row(c, wire.Execute); ok && is(c, wire.Execute) && row.CommandID == c.ID && row.State == participants.Succeeded && c.Attempt > 1 {
					w.forget(c, wire.Execute)
				}
			},
			fails: []string{"duplicate-attempt", "duplicates-at-once", "execution-late", "commands-at-once"},
		},
		{
			name: "RunsRefusedAgain", answer: func(w *world, c *wire.Command) (wire.Reply, bool) {
				row, ok := w.row(c, wire.Execute)
				return says(c, wire.Rejected, "no_again", ""), ok && is(c, wire.Execute) && row.State == participants.Rejected && row.CommandID == c.ID && c.Attempt > 1
			},
			fails: []string{"duplicate-refused"},
		},
		{
			name: "StoresFailed", answer: func(w *world, c *wire.Command) (wire.Reply, bool) {
				return says(c, wire.Failed, "flaky", ""), bytes.Contains(c.Value, []byte("flaky"))
			},
			fails: []string{"duplicate-failed"},
		},
		{
			name: "AnswersNewestAttemptsAlone", answer: func() func(*world, *wire.Command) (wire.Reply, bool) {
				newest := map[wire.ID]int{}
				return func(_ *world, c *wire.Command) (wire.Reply, bool) {
					stale := c.Attempt < newest[c.ID]
					newest[c.ID] = max(newest[c.ID], c.Attempt)
					return says(c, wire.Rejected, "stale", ""), stale
				}
			}(),
			fails: []string{"attempts-reordered", "crash"},
		},
		{
			name: "CannotUndo", answer: func(w *world, c *wire.Command) (wire.Reply, bool) {
				row, ok := w.row(c, wire.Execute)
				return says(c, wire.Rejected, "cannot", ""), c.Name == "Undo.v1" && ok && row.State == participants.Succeeded
			},
			fails: []string{"compensation", "compensation-duplicate", "execution-late", "commands-at-once", "compensation-edition", "compensation-edition-lower"},
		},
		{
			name: "UndoesTwice", duringRun: func(w *world, c *wire.Command) {
				if row, ok := w.row(c, wire.Compensate); ok && c.Name == "Undo.v1" && row.CommandID == c.ID && row.Code == "" {
					w.forget(c, wire.Compensate)
				}
			},
			fails: []string{"compensation-duplicate"},
		},
		{
			name: "ForgetsWhatWasUndone", answer: func(w *world, c *wire.Command) (wire.Reply, bool) {
				_, ok := w.row(c, wire.Compensate)
				return says(c, wire.Rejected, wire.CodeAlreadyCompensated, ""), ok && is(c, wire.Execute)
			},
			fails: []string{"execution-late", "commands-at-once"},
		},
		{
			name: "FailsWithNothingToUndo", answer: func(w *world, c *wire.Command) (wire.Reply, bool) {
				row, ok := w.row(c, wire.Execute)
				return says(c, wire.Failed, "error", ""), c.Name == "Undo.v1" && (!ok || row.State != participants.Succeeded)
			},
			fails: []string{"compensation-first", "execution-after-compensation", "compensation-of-refused", "probe-compensated"},
		},
		{
			name: "NothingToUndoIsNotStored", answer: func(w *world, c *wire.Command) (wire.Reply, bool) {
				_, ok := w.row(c, wire.Compensate)
				return says(c, wire.Rejected, wire.CodeAlreadyCompensated, ""), c.Name == "Undo.v1" && ok && c.Attempt == 2
			},
			fails: []string{"compensation-duplicate", "compensation-first-duplicate"},
		},
		{
			name: "NoTombstone", duringRun: func(w *world, c *wire.Command) {
				if row, ok := w.row(c, wire.Execute); ok && row.State == participants.CompensateTombstone {
					w.forget(c, wire.Execute)
				}
			},
			fails: []string{"execution-after-compensation", "probe-compensated"},
		},
		{
			name: "CompensatesWhatWasRefused", answer: func(w *world, c *wire.Command) (wire.Reply, bool) {
				row, ok := w.row(c, wire.Execute)
				return says(c, wire.Succeeded, "", `{}`), c.Name == "Undo.v1" && ok && row.State == participants.Rejected
			},
			fails: []string{"compensation-of-refused"},
		},
		{
			name: "CompensatesFirst", order: func(records []wire.Record) []wire.Record {
				if v, _ := records[len(records)/2].Header(wire.HeaderSagaVerb); v == "compensate" && len(records) > 1 {
					slices.Reverse(records[:2])
				}
				return records
			},
			fails: []string{"commands-at-once"},
		},
		{
			name: "RefusesForGood", answer: func(w *world, c *wire.Command) (wire.Reply, bool) {
				row, ok := w.row(c, wire.Execute)
				return says(c, wire.Rejected, "no", ""), ok && is(c, wire.Execute) && row.State == participants.Rejected && row.Edition < c.Edition
			},
			fails: []string{"edition-over-refusal"},
		},
		{
			name: "RunsEachEdition", duringRun: func(w *world, c *wire.Command) {
				if row, ok := w.row(c, wire.Execute); ok && is(c, wire.Execute) && row.State == participants.Succeeded && row.Edition < c.Edition {
					w.forget(c, wire.Execute)
				}
			},
			fails: []string{"edition-over-success"},
		},
		{
			name: "RunsLowerEditions", duringRun: func(w *world, c *wire.Command) {
				if row, ok := w.row(c, wire.Execute); ok && is(c, wire.Execute) && row.State == participants.Succeeded && row.Edition > c.Edition {
					w.forget(c, wire.Execute)
				}
			},
			fails: []string{"edition-lower"},
		},
		{
			name: "UndoesEachEdition", duringRun: func(w *world, c *wire.Command) {
				if row, ok := w.row(c, wire.Compensate); ok && c.Name == "Undo.v1" && row.Edition < c.Edition {
					w.forget(c, wire.Compensate)
				}
			},
			fails: []string{"compensation-edition"},
		},
		{
			name: "UndoesLowerEditions", duringRun: func(w *world, c *wire.Command) {
				if row, ok := w.row(c, wire.Compensate); ok && c.Name == "Undo.v1" && row.Edition > c.Edition {
					w.forget(c, wire.Compensate)
				}
			},
			fails: []string{"compensation-edition-lower"},
		},
		{
			name: "ProbeRunsAgain", answer: func(w *world, c *wire.Command) (wire.Reply, bool) {
				row, ok := w.row(c, wire.Execute)
				return says(c, wire.Succeeded, "", `{"done":0}`), c.Verb == wire.Probe && ok && row.State == participants.Succeeded && row.Edition == c.Edition
			},
			fails: []string{"probe"},
		},
		{
			name: "ProbeCannotTell", answer: func(w *world, c *wire.Command) (wire.Reply, bool) {
				_, ok := w.row(c, wire.Execute)
				if c.Verb == wire.Probe && !ok {
					w.right(w.participant, c) // it is buried, and yet:
					return says(c, wire.Unknown, "", ""), true
				}
				return wire.Reply{}, false
			},
			fails: []string{"probe-not-found"},
		},
		{
			name: "ProbeBuriesNothing", duringRun: func(w *world, c *wire.Command) {
				if row, ok := w.row(c, wire.Execute); ok && row.State == participants.ProbeTombstone {
					w.forget(c, wire.Execute)
				}
			},
			fails: []string{"probe-buries"},
		},
		{
			name: "ProbeBuriesEachEdition", answer: func(w *world, c *wire.Command) (wire.Reply, bool) {
				row, ok := w.row(c, wire.Execute)
				return says(c, wire.Rejected, wire.CodeNotFound, ""), is(c, wire.Execute) && ok && row.State == participants.ProbeTombstone
			},
			fails: []string{"probe-then-edition"},
		},
		{
			name: "ProbeMixesEditions", answer: func(w *world, c *wire.Command) (wire.Reply, bool) {
				row, ok := w.row(c, wire.Execute)
				return says(c, wire.Succeeded, "", string(row.Output)), c.Verb == wire.Probe && ok && row.State == participants.Succeeded
			},
			fails: []string{"probe-edition-lower"},
		},
		{
			name: "ProbeMissesTombstones", answer: func(w *world, c *wire.Command) (wire.Reply, bool) {
				row, ok := w.row(c, wire.Execute)
				return says(c, wire.Rejected, wire.CodeNotFound, ""), c.Verb == wire.Probe && ok && row.State == participants.CompensateTombstone
			},
			fails: []string{"probe-compensated"},
		},
		{name: "CommitsOffsetsFirst", hasty: true, fails: []string{"crash"}},
		{name: "ForgetsInACrash", forgetful: true, fails: []string{"crash"}},
	}
}
