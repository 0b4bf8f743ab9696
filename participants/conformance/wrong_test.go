package conformance

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/participants"
	"github.com/skaldhq/skald/participants/wire"
)

// says is a reply to c in the participant's own words.
func says(c *wire.Command, outcome wire.Outcome, code, value string) wire.Reply {
	r := wire.ReplyTo(c, wire.RandomID(), time.Now())
	r.Outcome, r.Code, r.Value = outcome, code, []byte(value)
	return r
}

// row is what the barrier holds for the command's step.
func (w *world) row(c *wire.Command, verb wire.Verb) (participants.Row, bool) {
	row, ok := w.barrier.Snapshot()[participants.RowKey{SagaID: c.SagaID, Step: c.Step, Verb: verb}]
	return row, ok
}

// forget removes a row.
func (w *world) forget(c *wire.Command, verb wire.Verb) {
	rows := w.barrier.Snapshot()
	delete(rows, participants.RowKey{SagaID: c.SagaID, Step: c.Step, Verb: verb})
	w.barrier.Restore(rows)
}

func is(c *wire.Command, verb wire.Verb) bool {
	return c.Verb == verb && strings.HasPrefix(c.Name, "Do.")
}

// wrongs are participants that are right but for one thing. Each names every check that must notice it.
func wrongs() []wrong {
	return slices.Concat(wrongAnswers(), wrongBarriers(), wrongReaders(), wrongHeaders())
}

// TestRun_WrongParticipants: a participant that is wrong in one thing fails the checks that are about it, and no others.
func TestRun_WrongParticipants(t *testing.T) {
	t.Parallel()
	for _, w := range wrongs() {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			plan := testPlan()
			plan.Probe = "FindOut.v1"
			report := newWorld(t, w).play(plan)
			failed := report.Failed()
			slices.Sort(failed)
			want := slices.Sorted(slices.Values(w.fails))
			require.Equal(t, want, failed)
		})
	}
}

// TestRun_EachCheckHasAWrongParticipant: a check that nothing fails checks nothing.
func TestRun_EachCheckHasAWrongParticipant(t *testing.T) {
	t.Parallel()
	var noticed []string
	for _, w := range wrongs() {
		noticed = append(noticed, w.fails...)
	}
	for _, c := range Checks() {
		require.Contains(t, noticed, c.Name)
	}
}
