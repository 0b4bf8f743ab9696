package storetest

import (
	"sync"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

func holdsLetSagasGoOverATime(s *suite) {
	id, err := s.Store.PutHold(s.ctx, orchestrator.Hold{Tenant: tenant, Scope: orchestrator.HoldTenant, By: "ada"}, audit(tenant, "hold"))
	require.NoError(s, err)
	end := audit(tenant, "unhold")
	end.Actor = "bob"
	require.NoError(s, s.Store.EndHold(s.ctx, tenant, id, time.Hour, end))
	row, err := s.Store.Hold(s.ctx, tenant, id)
	require.NoError(s, err)
	require.Equal(s, orchestrator.HoldReleasing, row.State())
	require.Equal(s, row.To.Add(time.Hour), row.Over())
	require.Equal(s, "bob", row.EndedBy)
	listed, err := s.Store.Holds(s.ctx, tenant)
	require.NoError(s, err)
	require.Len(s, listed, 1, "it still stops some")
	require.ErrorIs(s, s.Store.EndHold(s.ctx, tenant, id, time.Minute, end), orchestrator.ErrNotFound, "nobody is held again")

	require.NoError(s, s.Store.EndHold(s.ctx, tenant, id, 0, end))
	row, err = s.Store.Hold(s.ctx, tenant, id)
	require.NoError(s, err)
	require.Equal(s, orchestrator.HoldEnded, row.State())
	require.Equal(s, row.RestAt, row.Over(), "what still waited was held until then")
	require.True(s, row.RestAt.After(row.To))
	require.ErrorIs(s, s.Store.EndHold(s.ctx, tenant, id, 0, end), orchestrator.ErrNotFound)
	listed, err = s.Store.Holds(s.ctx, tenant)
	require.NoError(s, err)
	require.Empty(s, listed)
	_, err = s.Store.Hold(s.ctx, "other", id)
	require.ErrorIs(s, err, orchestrator.ErrNotFound)
}

// breaker is one that a replica wants to open.
func breaker() orchestrator.HoldRow {
	return orchestrator.HoldRow{Hold: orchestrator.Hold{Tenant: tenant, Name: "payments", Reason: "20 of 20 failed", TryFor: time.Minute, Trips: 2}}
}

func holdsBreakerIsOne(s *suite) {
	var mu sync.Mutex
	var replicas sync.WaitGroup
	opened := 0
	for range 4 {
		replicas.Go(func() {
			ok, err := s.Store.Trip(s.ctx, breaker(), time.Hour, audit(tenant, "breaker.opened"))
			mu.Lock()
			defer mu.Unlock()
			if err == nil && ok {
				opened++
			}
		})
	}
	replicas.Wait()
	require.Equal(s, 1, opened)
	entries, err := s.Store.Audit(s.ctx, tenant, 0, 10)
	require.NoError(s, err)
	require.Len(s, entries, 1)
	rows, err := s.Store.Holds(s.ctx, tenant)
	require.NoError(s, err)
	require.Len(s, rows, 1)
	row := rows[0]
	require.Equal(s, orchestrator.HoldBreaker, row.Kind)
	require.Equal(s, orchestrator.HoldParticipant, row.Scope)
	require.Equal(s, "payments", row.Name)
	require.Equal(s, entries[0].Actor, row.By)
	require.Equal(s, 2, row.Trips)
	require.Equal(s, row.From.Add(time.Hour), row.TryFrom)
	require.Equal(s, time.Minute, row.TryFor)
	require.Equal(s, orchestrator.HoldHolding, row.State())
	equal(s, []orchestrator.Hold{row.Hold}, s.begin().Holds())

	// An operator ends it, as any hold; then there may be another.
	require.NoError(s, s.Store.EndHold(s.ctx, tenant, row.ID, 0, audit(tenant, "hold.end")))
	ok, err := s.Store.Trip(s.ctx, breaker(), time.Hour, audit(tenant, "breaker.opened"))
	require.NoError(s, err)
	require.True(s, ok)
}

func holdsBreakerOpensAgain(s *suite) {
	ok, err := s.Store.Trip(s.ctx, breaker(), 0, audit(tenant, "breaker.opened"))
	require.NoError(s, err)
	require.True(s, ok)
	rows, err := s.Store.Holds(s.ctx, tenant)
	require.NoError(s, err)
	require.Equal(s, orchestrator.HoldTrying, rows[0].State())
	require.NoError(s, s.Store.NoteQuiet(s.ctx, tenant, rows[0].ID))

	again := rows[0]
	again.Reason, again.TryFor = "3 of 3 tries failed", 2*time.Minute
	for _, want := range []bool{true, false} { // the second replica judged by what it knew before
		ok, err = s.Store.Trip(s.ctx, again, time.Hour, audit(tenant, "breaker.reopened"))
		require.NoError(s, err)
		require.Equal(s, want, ok)
	}
	row, err := s.Store.Hold(s.ctx, tenant, again.ID)
	require.NoError(s, err)
	require.Equal(s, orchestrator.HoldHolding, row.State())
	require.Equal(s, 3, row.Trips)
	require.Equal(s, "3 of 3 tries failed", row.Reason)
	require.Equal(s, 2*time.Minute, row.TryFor)
	require.WithinDuration(s, row.At.Add(time.Hour), row.TryFrom, time.Minute)
	require.True(s, row.QuietAt.IsZero(), "the tries were in flight")
	require.Equal(s, rows[0].From, row.From, "it is the same outage")
	ok, err = s.Store.Trip(s.ctx, row, time.Hour, audit(tenant, "breaker.reopened"))
	require.NoError(s, err)
	require.False(s, ok, "it does not try at present")
	entries, err := s.Store.Audit(s.ctx, tenant, 0, 10)
	require.NoError(s, err)
	require.Len(s, entries, 2)
}

func holdsQuietOnce(s *suite) {
	id, err := s.Store.PutHold(s.ctx, orchestrator.Hold{Tenant: tenant, Scope: orchestrator.HoldTenant}, audit(tenant, "hold"))
	require.NoError(s, err)
	require.NoError(s, s.Store.NoteQuiet(s.ctx, "other", id))
	row, err := s.Store.Hold(s.ctx, tenant, id)
	require.NoError(s, err)
	require.True(s, row.QuietAt.IsZero())
	require.NoError(s, s.Store.NoteQuiet(s.ctx, tenant, id))
	first, err := s.Store.Hold(s.ctx, tenant, id)
	require.NoError(s, err)
	require.False(s, first.QuietAt.IsZero())
	require.NoError(s, s.Store.NoteQuiet(s.ctx, tenant, id))
	row, err = s.Store.Hold(s.ctx, tenant, id)
	require.NoError(s, err)
	require.Equal(s, first.QuietAt, row.QuietAt, "it became quiet once")
}

func holdsListWhoWaits(s *suite) {
	at := func(cause saga.Cause, participant string) []saga.BlockedOn {
		return []saga.BlockedOn{{Cause: cause, Participant: participant, Step: "reserve"}}
	}
	theirs := func(in *saga.Instance) { in.Tenant = "other" }
	sagas := []saga.Instance{s.instance(), s.instance(), s.instance(), s.instance(theirs), s.instance(ended)}
	b := s.batch(sagas...)
	for i, blocked := range [][]saga.BlockedOn{
		at(saga.CauseHold, "payments"), at(saga.CauseHold, "stock"), at(saga.CauseReply, "payments"), at(saga.CauseHold, "payments"), nil,
	} {
		b.Writes[i].Blocked = blocked
	}
	require.NoError(s, s.commit(b))
	held := func(tenant, participant string, after saga.ID, n int) []saga.ID {
		ids, err := s.Store.Held(s.ctx, tenant, participant, after, n)
		require.NoError(s, err)
		return ids
	}
	equal(s, []saga.ID{sagas[0].ID}, held(tenant, "payments", saga.ID{}, 10))
	equal(s, []saga.ID{sagas[0].ID, sagas[1].ID}, held(tenant, "", saga.ID{}, 10))
	equal(s, []saga.ID{sagas[0].ID}, held(tenant, "", saga.ID{}, 1))
	equal(s, []saga.ID{sagas[1].ID}, held(tenant, "", sagas[0].ID, 10))
	equal(s, []saga.ID{sagas[0].ID, sagas[1].ID, sagas[3].ID}, held("", "", saga.ID{}, 10))
	equal(s, []saga.ID{sagas[3].ID}, held("", "payments", sagas[0].ID, 10))
}
