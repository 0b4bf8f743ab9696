package orchestrator_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

func at(seconds float64) time.Time {
	return time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC).Add(time.Duration(seconds * float64(time.Second)))
}

// ids are of many sagas that were started at about the same time, as those of an outage are.
func ids(n int) (out []saga.ID) {
	for k := range n {
		out = append(out, saga.NewID(at(0), uint16(k%4096), uint64(k)))
	}
	return out
}

// letGo is how many of the sagas a hold has let go by a time.
func letGo(h *orchestrator.Hold, sagas []saga.ID, by time.Time) (n int) {
	for _, id := range sagas {
		if end := h.EndsFor(id); !end.IsZero() && !end.After(by) {
			n++
		}
	}
	return n
}

// A release at a rate lets about as many go in each second.
func TestHold_IsReleasedEvenly(t *testing.T) {
	t.Parallel()
	h := &orchestrator.Hold{From: at(-60)}
	sagas := ids(10_000)
	require.Zero(t, letGo(h, sagas, at(1e6)), "nobody has ended it")
	require.Equal(t, orchestrator.HoldHolding, h.State(at(0)))
	h.To, h.Spread = at(0), 100*time.Second
	for s := 10; s <= 100; s += 10 {
		require.InDelta(t, 100*s, letGo(h, sagas, at(float64(s))), 250, "after %d s", s)
	}
	require.Equal(t, 10_000, letGo(h, sagas, at(100)))
	require.Equal(t, orchestrator.HoldReleasing, h.State(at(99.9)))
	require.Equal(t, orchestrator.HoldEnded, h.State(at(100)))
	h.RestAt = at(50)
	require.InDelta(t, 4000, letGo(h, sagas, at(40)), 250, "who was let go before stays so")
	require.Equal(t, 10_000, letGo(h, sagas, at(50)))
	require.Equal(t, orchestrator.HoldEnded, h.State(at(50)))
}

// A breaker tries with a few first, and with twice as many each tenth of its time; next time with others.
func TestHold_BreakerTriesWithMoreAndMore(t *testing.T) {
	t.Parallel()
	h := &orchestrator.Hold{From: at(-60), Kind: orchestrator.HoldBreaker, TryFrom: at(0), TryFor: 30 * time.Second, Trips: 1}
	sagas := ids(50_000)
	require.Zero(t, letGo(h, sagas, at(-0.001)))
	want := 50_000 / 1024.0
	for tenth := range 11 {
		require.InEpsilon(t, want, letGo(h, sagas, at(3*float64(tenth))), 0.4, "after %d s", 3*tenth)
		want *= 2
	}
	require.Equal(t, 50_000, letGo(h, sagas, at(30)))
	require.Equal(t, orchestrator.HoldTrying, h.State(at(29)))
	require.Equal(t, orchestrator.HoldEnded, h.State(at(30)), "nobody has to close it")

	again := *h
	again.Trips = 2
	both := 0
	for _, id := range sagas {
		if !h.EndsFor(id).After(at(3)) && !again.EndsFor(id).After(at(3)) {
			both++
		}
	}
	require.Less(t, both, 10, "it is not always the same ones that try")

	// Once it is closed, nobody is held longer than it would have been, and nobody is held again.
	closed := *h
	closed.To, closed.Spread = at(9), 5*time.Second
	for _, id := range sagas {
		end := closed.EndsFor(id)
		require.False(t, end.After(h.EndsFor(id)))
		if h.EndsFor(id).Before(at(9)) {
			require.Equal(t, h.EndsFor(id), end)
		}
	}
	require.Equal(t, 50_000, letGo(&closed, sagas, at(14)))
}

// A release at a rate needs nobody: whatever replica lives, the sagas go on by themselves, over as long as their number takes.
func TestHold_ReleasedAtARate(t *testing.T) {
	t.Parallel()
	o := &outage{testBundle: setup(t, func(cfg *orchestrator.Config) { cfg.WatchEvery = time.Second }), answer: always(saga.ReplySucceeded)}
	hold := orchestrator.Hold{Tenant: tenant, Scope: orchestrator.HoldSagaType, Name: "errand", Reason: "maintenance"}
	row, _, err := o.engine.PutHold(t.Context(), hold, "ada", "r-1")
	require.NoError(t, err)
	for range 10 {
		o.second(10)
	}
	require.NoError(t, o.engine.EndHold(t.Context(), tenant, row.ID, orchestrator.Release{Rate: 2, By: "ada", Reason: "done", RequestID: "r-2"}))
	row, _, err = o.engine.HoldStatus(t.Context(), tenant, row.ID)
	require.NoError(t, err)
	require.Equal(t, 50*time.Second, row.Spread)
	var wrong *orchestrator.InputError
	require.ErrorAs(t, o.engine.EndHold(t.Context(), tenant, row.ID, orchestrator.Release{Rate: 5}), &wrong)
	o.engine = o.replica() // the one that was asked is gone
	began := o.machine.now
	for o.machine.now.Before(began.Add(25 * time.Second)) {
		o.second(0)
	}
	require.InDelta(t, 50, o.statuses()[saga.Completed], 20)
	for o.machine.now.Before(began.Add(80 * time.Second)) {
		o.second(0)
	}
	require.Equal(t, map[saga.Status]int{saga.Completed: 100}, o.statuses())
}

// One hold shows what waits for it, what is still in flight, and since when nothing is.
func TestHold_BecomesQuiet(t *testing.T) {
	t.Parallel()
	o := &outage{testBundle: setup(t, func(cfg *orchestrator.Config) { cfg.WatchEvery = time.Second }), answer: always("")}
	o.second(3)
	hold := orchestrator.Hold{Tenant: tenant, Scope: orchestrator.HoldParticipant, Name: "runner", Reason: "maintenance"}
	row, _, err := o.engine.PutHold(t.Context(), hold, "ada", "r-1")
	require.NoError(t, err)
	other, _, err := o.engine.PutHold(t.Context(), orchestrator.Hold{Tenant: tenant, Scope: orchestrator.HoldParticipant, Name: "stock", Reason: "maintenance"}, "ada", "r-2")
	require.NoError(t, err)
	for range 5 {
		o.second(1)
	}
	got, n, err := o.engine.HoldStatus(t.Context(), tenant, row.ID)
	require.NoError(t, err)
	require.Equal(t, orchestrator.HoldCount{Held: 5, InFlight: 3, Exact: true}, n)
	require.True(t, got.QuietAt.IsZero())
	_, n, err = o.engine.HoldStatus(t.Context(), tenant, other.ID)
	require.NoError(t, err)
	require.Equal(t, orchestrator.HoldCount{Exact: true}, n)

	for _, id := range o.ids[:3] {
		o.broker.send(reply(id, "run", saga.ReplySucceeded))
	}
	o.receive()
	o.settle()
	answered := o.machine.now
	for range 5 {
		o.second(0)
	}
	got, n, err = o.engine.HoldStatus(t.Context(), tenant, row.ID)
	require.NoError(t, err)
	require.Equal(t, orchestrator.HoldCount{Held: 8, Exact: true}, n)
	require.WithinDuration(t, answered, got.QuietAt, 5*time.Second)
	require.False(t, got.QuietAt.Before(answered))
	_, _, err = o.engine.HoldStatus(t.Context(), "other", row.ID)
	require.ErrorIs(t, err, orchestrator.ErrNotFound)
}

// What takes too long to read through is counted by the store, so that a release is not faster than asked for.
func TestHold_ReleaseOfMoreThanCanBeRead(t *testing.T) {
	t.Parallel()
	slow := &slowReader{}
	o := &outage{testBundle: setup(t, func(cfg *orchestrator.Config) {
		slow.Reader = cfg.Reader
		cfg.Reader = slow
	}), answer: always("")}
	slow.pass = func() { o.machine.now = o.machine.now.Add(3 * time.Second) }
	hold := orchestrator.Hold{Tenant: tenant, Scope: orchestrator.HoldSagaType, Name: "errand", Reason: "maintenance"}
	row, _, err := o.engine.PutHold(t.Context(), hold, "ada", "r-1")
	require.NoError(t, err)
	for range 40 {
		o.start(errand())
	}
	_, n, err := o.engine.HoldStatus(t.Context(), tenant, row.ID)
	require.NoError(t, err)
	require.Equal(t, orchestrator.HoldCount{Held: 1}, n, "at least that many")
	require.NoError(t, o.engine.EndHold(t.Context(), tenant, row.ID, orchestrator.Release{Rate: 2, By: "ada", Reason: "done", RequestID: "r-2"}))
	row, _, err = o.engine.HoldStatus(t.Context(), tenant, row.ID)
	require.NoError(t, err)
	require.Equal(t, 20*time.Second, row.Spread)
}

// slowReader takes its time for a list.
type slowReader struct {
	orchestrator.Reader
	pass func()
}

func (r *slowReader) Sagas(ctx context.Context, q orchestrator.SagaQuery) (orchestrator.SagaPage, error) {
	r.pass()
	return r.Reader.Sagas(ctx, q)
}
