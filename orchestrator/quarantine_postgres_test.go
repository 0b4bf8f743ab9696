package orchestrator_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/audit"
	"github.com/skaldhq/skald/orchestrator/saga"
	"github.com/skaldhq/skald/participants/wire"
)

// A reply that nobody could verify is quarantined, the missing key comes back, the reply is redriven, and its saga ends.
func TestPostgres_APoisonReplyIsMendedAndRedriven(t *testing.T) {
	t.Parallel()
	narrow, wide, older := codecs(t)
	b := database(t)
	ctx := t.Context()
	s, err := b.Start(ctx, errand())
	require.NoError(t, err)
	b.broker.send(came(narrow, answerTo(older, s.ID), 41))
	query := orchestrator.QuarantineQuery{Tenant: tenant, State: orchestrator.QuarantineWaiting, Limit: 10}
	var list []orchestrator.QuarantineEntry
	await(t, "it is in quarantine", func() bool {
		list, err = b.store.Quarantine(ctx, query)
		return err == nil && len(list) == 1
	})
	require.Equal(t, "bad_token", list[0].Reason)
	wish := redrive(list[0].ID)
	_, err = b.HandleQuarantined(ctx, wish)
	var refused *orchestrator.QuarantineRefusedError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, orchestrator.QuarantineUnproven, refused.Code, "nothing was mended yet")

	mended := config(t, b.faulty, b.store, b.store, &fakeBroker{now: b.broker.now})
	mended.Encoder, mended.Decoder = wide, wide
	other := run(t, mended)
	rehearsed, decision, err := other.RehearseQuarantined(ctx, wish)
	require.NoError(t, err)
	require.Equal(t, orchestrator.QuarantineApplied, rehearsed.Outcome)
	require.Len(t, decision.Commands, 1)
	got, err := other.HandleQuarantined(ctx, wish)
	require.NoError(t, err)
	require.Equal(t, orchestrator.QuarantineApplied, got.Outcome)
	require.Equal(t, saga.Succeeded, b.saga(t, s.ID).Steps[0].Status)
	b.broker.send(reply(s.ID, "report", saga.ReplySucceeded))
	await(t, "its saga ends", func() bool { return b.saga(t, s.ID).Status == saga.Completed })

	entries, err := b.store.Audit(ctx, tenant, 0, 1)
	require.NoError(t, err)
	require.Equal(t, "quarantine.redrive", entries[0].Action)
	require.Equal(t, s.ID, entries[0].Saga)
	require.NoError(t, b.store.VerifyAudit(ctx, tenant))
	e, err := b.store.QuarantineRecord(ctx, tenant, wish.ID)
	require.NoError(t, err)
	require.Equal(t, orchestrator.QuarantineRedriven, e.Handling.State)
	require.Equal(t, "tester", e.Handling.By)
}

// Of many, each has an outcome of its own, and a replay is about the same records.
func TestPostgres_ManyQuarantinedRecords(t *testing.T) {
	t.Parallel()
	narrow, wide, older := codecs(t)
	b := database(t)
	ctx := t.Context()
	const sagas = 60 // more than are in hand at a time
	var ids []saga.ID
	for n := range int64(sagas) {
		s, err := b.Start(ctx, errand())
		require.NoError(t, err)
		ids = append(ids, s.ID)
		b.broker.send(came(narrow, answerTo(older, s.ID), n))
	}
	b.broker.send(came(narrow, answerTo(older, ids[0], token("k1.forged")), sagas), came(narrow, answerTo(older, ids[0], func(r *wire.Reply) { r.Outcome = "" }), sagas+1))
	all := orchestrator.QuarantineQuery{Tenant: tenant, Limit: 500}
	await(t, "all are in quarantine", func() bool {
		list, err := b.store.Quarantine(ctx, all)
		return err == nil && len(list) == sagas+2
	})
	groups, err := b.store.QuarantineGroups(ctx, all)
	require.NoError(t, err)
	counts := map[int64]int{}
	for _, g := range groups {
		counts[g.Count]++
	}
	require.Equal(t, map[int64]int{1: 2, sagas: 1}, counts, "unknown key, malformed token, no outcome: %v", groups)

	mended := config(t, b.faulty, b.store, b.store, &fakeBroker{now: b.broker.now})
	mended.Encoder, mended.Decoder = wide, wide
	other := run(t, mended)
	req := orchestrator.QuarantineManyRequest{
		Filter: orchestrator.QuarantineQuery{Tenant: tenant, Topic: "skald.replies"}, Limit: 500, Action: orchestrator.QuarantineRedrive,
		Reason: "the key is back", By: "tester", RequestID: "r-1", DryRun: true,
	}
	rehearsed, err := other.HandleManyQuarantined(ctx, req)
	require.NoError(t, err)
	require.Len(t, rehearsed.Each, sagas+2)
	require.Equal(t, map[string]int{"applied": sagas, "quarantined_again": 1, "token_unproven": 1}, outcomes(t, rehearsed))
	waiting := all
	waiting.State = orchestrator.QuarantineWaiting
	list, err := b.store.Quarantine(ctx, waiting)
	require.NoError(t, err)
	require.Len(t, list, sagas+2, "a rehearsal does nothing")

	req.DryRun, req.IdempotencyKey, req.Limit = false, "k-1", 55
	first, err := other.HandleManyQuarantined(ctx, req)
	require.NoError(t, err)
	require.True(t, first.More)
	require.False(t, first.Replayed)
	require.Equal(t, map[string]int{"applied": 55}, outcomes(t, first), "the oldest first")
	replay, err := other.HandleManyQuarantined(ctx, req)
	require.NoError(t, err)
	require.True(t, replay.Replayed)
	require.Equal(t, outcomes(t, first), outcomes(t, replay))
	for i := range replay.Each {
		require.Equal(t, first.Each[i].ID, replay.Each[i].ID)
		require.True(t, replay.Each[i].Result.Replayed)
	}
	req.IdempotencyKey, req.Limit = "k-2", 500
	second, err := other.HandleManyQuarantined(ctx, req)
	require.NoError(t, err)
	require.Equal(t, map[string]int{"applied": sagas - 55, "quarantined_again": 1, "token_unproven": 1}, outcomes(t, second))
	for _, id := range ids {
		require.Equal(t, saga.Succeeded, b.saga(t, id).Steps[0].Status)
	}
	req.Action, req.IdempotencyKey = orchestrator.QuarantineDiscard, "k-1"
	_, err = other.HandleManyQuarantined(ctx, req)
	require.ErrorIs(t, err, orchestrator.ErrIdempotency)
	req.IdempotencyKey = "k-3"
	dropped, err := other.HandleManyQuarantined(ctx, req)
	require.NoError(t, err)
	require.Equal(t, map[string]int{"discarded": 2}, outcomes(t, dropped))
	report, err := audit.Run(ctx, audit.Config{Store: b.store})
	require.NoError(t, err)
	require.True(t, report.Clean(), "the keys have their answers: %v", report)
	require.NoError(t, b.store.VerifyAudit(ctx, tenant))
}

func outcomes(t *testing.T, many orchestrator.QuarantineMany) map[string]int {
	t.Helper()
	out := map[string]int{}
	for _, e := range many.Each {
		var refused *orchestrator.QuarantineRefusedError
		switch {
		case e.Err == nil:
			out[string(e.Result.Outcome)]++
			require.Equal(t, e.ID, e.Result.ID)
		case errors.As(e.Err, &refused):
			out[refused.Code]++
		default:
			require.NoError(t, e.Err)
		}
	}
	return out
}
