package conformance

import (
	"bytes"
	"time"

	"github.com/skaldhq/skald/participants"
	"github.com/skaldhq/skald/participants/wire"
)

// wrongAnswers say something else than they should.
func wrongAnswers() []wrong {
	return []wrong{
		{
			name: "AnswersNothing", silent: func(*world, *wire.Command) bool { return true },
			fails: []string{"execute"},
		},
		{
			name: "FailsAlways", answer: func(_ *world, c *wire.Command) (wire.Reply, bool) {
				return says(c, wire.Failed, "error", ""), true
			},
			fails: []string{"execute"},
		},
		{
			name: "RefusesNothing", duringRun: func(_ *world, c *wire.Command) {
				c.Value = bytes.ReplaceAll(c.Value, []byte(`"no"`), []byte(`"ok"`))
			},
			fails: []string{"refusal", "duplicate-refused", "compensation-of-refused", "edition-over-refusal"},
		},
		{
			name: "RefusesLate", answer: func(w *world, c *wire.Command) (wire.Reply, bool) {
				return says(c, wire.Rejected, "too_late", ""), time.Now().After(c.Expiry)
			},
			fails: []string{"expired"},
		},
		{
			name: "RejectsUnknown", answer: func(_ *world, c *wire.Command) (wire.Reply, bool) {
				return says(c, wire.Rejected, "unknown_command", ""), c.Name == unknownName
			},
			fails: []string{"unknown-command"},
		},
		{
			name: "StoresUnknown", answer: func(w *world, c *wire.Command) (wire.Reply, bool) {
				if c.Name == unknownName && c.Verb == wire.Execute {
					rows := w.barrier.Snapshot()
					rows[participants.RowKey{SagaID: c.SagaID, Step: c.Step, Verb: c.Verb}] = participants.Row{CommandID: c.ID, State: participants.Rejected}
					w.barrier.Restore(rows)
				}
				return wire.Reply{}, false
			},
			fails: []string{"unknown-command-unstored"},
		},
		{
			name: "ProbesUnknown", answer: func(_ *world, c *wire.Command) (wire.Reply, bool) {
				return says(c, wire.Failed, wire.CodeUnknownCommand, ""), c.Verb == wire.Probe
			},
			fails: []string{"probe", "probe-not-found", "probe-buries", "probe-then-edition", "probe-edition-lower", "probe-compensated"},
		},
		{
			name: "Mute", silent: func(w *world, c *wire.Command) bool { return len(w.log) > 4 },
			fails: []string{"duplicate-attempt"},
		},
	}
}
