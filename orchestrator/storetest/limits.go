package storetest

import (
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

func limit(scope orchestrator.HoldScope, name string, sagas, commands int) orchestrator.Limit {
	return orchestrator.Limit{Tenant: tenant, Scope: scope, Name: name, Sagas: sagas, Commands: commands, Reason: "the card gateway is slow", By: "ada"}
}

func (s *suite) putLimit(l orchestrator.Limit) {
	require.NoError(s, s.Store.PutLimit(s.ctx, l, audit(l.Tenant, "limit.set")))
}

// limitUses are the limits and how far they are, without when they were set.
func (s *suite) limitUses() []orchestrator.LimitUse {
	uses, err := s.Store.Limits(s.ctx, tenant)
	require.NoError(s, err)
	for i := range uses {
		require.False(s, uses[i].At.IsZero())
		uses[i].At = time.Time{}
	}
	return uses
}

func limitsAreKept(s *suite) {
	payments, orders := limit(orchestrator.HoldParticipant, "payments", 0, 10), limit(orchestrator.HoldSagaType, "order", 5, 0)
	s.putLimit(orders)
	s.putLimit(payments)
	other := payments
	other.Tenant = "other"
	s.putLimit(other)
	payments.Commands = 20
	s.putLimit(payments)
	equal(s, []orchestrator.LimitUse{{Limit: payments}, {Limit: orders}}, s.limitUses())

	require.NoError(s, s.Store.RemoveLimit(s.ctx, tenant, orchestrator.HoldParticipant, "payments", audit(tenant, "limit.remove")))
	require.ErrorIs(s, s.Store.RemoveLimit(s.ctx, tenant, orchestrator.HoldParticipant, "payments", audit(tenant, "limit.remove")), orchestrator.ErrNotFound)
	equal(s, []orchestrator.LimitUse{{Limit: orders}}, s.limitUses())
	entries, err := s.Store.Audit(s.ctx, tenant, 0, 10)
	require.NoError(s, err)
	require.Len(s, entries, 4, "a record for each change that came about, in its transaction")
	look, err := s.Store.LookAtLimits(s.ctx, "one")
	require.NoError(s, err)
	require.Len(s, look.Uses, 2, "a look is at every tenant's")
}

func limitsAreCounted(s *suite) {
	s.putLimit(limit(orchestrator.HoldParticipant, "payments", 0, 10))
	s.putLimit(limit(orchestrator.HoldSagaType, "order", 5, 10))
	reply, unpublished, backoff := saga.BlockedOn{Cause: saga.CauseReply}, saga.BlockedOn{Cause: saga.CauseUnpublished}, saga.BlockedOn{Cause: saga.CauseBackoff}
	held, limited := saga.BlockedOn{Cause: saga.CauseHold, Out: true}, saga.BlockedOn{Cause: saga.CauseHold, Limit: true}
	at := func(participant string, waits ...saga.BlockedOn) []saga.BlockedOn {
		for i := range waits {
			waits[i].Participant, waits[i].Step = participant, "reserve"
		}
		return waits
	}
	unbegun := func(in *saga.Instance) { in.Steps = []saga.StepState{{Status: saga.Held}, {Status: saga.Held}} }
	errand := func(in *saga.Instance) { in.Saga = "errand" }
	theirs := func(in *saga.Instance) { in.Tenant = "other" }
	sagas := []saga.Instance{
		s.instance(), s.instance(), s.instance(unbegun), s.instance(unbegun), s.instance(errand), s.instance(theirs), s.instance(ended),
	}
	b := s.batch(sagas...)
	for i, blocked := range [][]saga.BlockedOn{
		at("payments", reply, unpublished), at("payments", backoff, held), at("payments", limited, limited), at("stock", limited),
		at("payments", reply), at("payments", reply), nil,
	} {
		b.Writes[i].Blocked = blocked
	}
	require.NoError(s, s.commit(b))
	uses := s.limitUses()
	require.Len(s, uses, 2)
	require.Equal(s, 5, uses[0].Out, "two of one saga, two that back off although one is held, and one of another definition")
	require.Equal(s, 2, uses[0].Waiting)
	require.Equal(s, 2, uses[1].Begun, "neither those that have not begun, nor the ended one")
	require.Equal(s, 4, uses[1].Out)
	require.Equal(s, 3, uses[1].Waiting)

	stats, err := s.Store.Stats(s.ctx, tenant)
	require.NoError(s, err)
	require.EqualValues(s, 2, stats.Limited)
	equal(s, orchestrator.ParticipantStats{InFlight: 2, BackingOff: 1, Held: 2, Limited: 1}, stats.ByParticipant["payments"])

	waiting := func(scope orchestrator.HoldScope, name string, after saga.ID, n int) []saga.ID {
		ids, err := s.Store.Limited(s.ctx, tenant, scope, name, after, n)
		require.NoError(s, err)
		return ids
	}
	equal(s, []saga.ID{sagas[2].ID}, waiting(orchestrator.HoldParticipant, "payments", saga.ID{}, 10))
	equal(s, []saga.ID{sagas[2].ID, sagas[3].ID}, waiting(orchestrator.HoldSagaType, "order", saga.ID{}, 10))
	equal(s, []saga.ID{sagas[2].ID}, waiting(orchestrator.HoldSagaType, "order", saga.ID{}, 1))
	equal(s, []saga.ID{sagas[3].ID}, waiting(orchestrator.HoldSagaType, "order", sagas[2].ID, 10))
	require.Empty(s, waiting(orchestrator.HoldSagaType, "errand", saga.ID{}, 10))
}

func limitsAreShared(s *suite) {
	look, err := s.Store.LookAtLimits(s.ctx, "one")
	require.NoError(s, err)
	require.Empty(s, look.Uses)
	require.Zero(s, look.Replicas, "without limits nobody shares anything")
	s.putLimit(limit(orchestrator.HoldParticipant, "payments", 0, 10))
	for i, replica := range []string{"one", "two", "one"} {
		look, err = s.Store.LookAtLimits(s.ctx, replica)
		require.NoError(s, err)
		require.Equal(s, min(i+1, 2), look.Replicas)
	}
	require.Len(s, look.Uses, 1)
}
