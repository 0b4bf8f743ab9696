package storetest

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

func equal(s *suite, want, got any, why ...any) {
	s.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		s.Fatalf("%v: want (-), got (+):\n%s", why, diff)
	}
}

func beginLoadsWhatWasCommitted(s *suite) {
	in := s.instance(func(in *saga.Instance) { in.Labels = map[string]string{"region": "eu"} })
	b := s.store(in)
	row := s.row(in.ID)
	require.Equal(s, orchestrator.RowLoaded, row.State)
	equal(s, b.Writes[0].Next, row.Instance)
	equal(s, b.Writes[0].WakeAt, row.WakeAt)
}

func beginMissingRow(s *suite) {
	in := s.instance()
	tx := s.begin(in.ID)
	require.Equal(s, orchestrator.RowMissing, tx.Row(in.ID).State)
	open := s.begin()
	require.NoError(s, open.Commit(s.ctx, s.batch(in)))
	require.Equal(s, orchestrator.RowLoaded, s.row(in.ID).State)
}

func beginBusyRowIsSkipped(s *suite) {
	a, b := s.instance(), s.instance()
	s.store(a, b)
	first := s.begin(a.ID)
	require.Equal(s, orchestrator.RowLoaded, first.Row(a.ID).State)
	second := s.begin(a.ID, b.ID)
	require.Equal(s, orchestrator.RowBusy, second.Row(a.ID).State, "somebody else has it locked: it exists")
	require.Equal(s, orchestrator.RowLoaded, second.Row(b.ID).State, "one locked row must not keep the others")
	first.Rollback(s.ctx)
	require.NoError(s, second.Load(s.ctx, []saga.ID{a.ID}))
	require.Equal(s, orchestrator.RowLoaded, second.Row(a.ID).State, "a busy row is tried again")
}

func beginTimeGoesForward(s *suite) {
	first := s.begin()
	second := s.begin()
	require.False(s, second.At().Before(first.At()))
	require.Equal(s, first.At().Truncate(time.Microsecond), first.At(), "the database counts microseconds")
	require.Equal(s, time.UTC, first.At().Location())
}

func loadAddsRows(s *suite) {
	a, b, missing := s.instance(), s.instance(), s.instance()
	s.store(a, b)
	tx := s.begin(a.ID)
	require.NoError(s, tx.Load(s.ctx, sorted([]saga.ID{a.ID, b.ID, missing.ID})))
	require.Equal(s, orchestrator.RowLoaded, tx.Row(a.ID).State)
	require.Equal(s, orchestrator.RowLoaded, tx.Row(b.ID).State)
	require.Equal(s, orchestrator.RowMissing, tx.Row(missing.ID).State)
	other := s.begin(b.ID)
	require.Equal(s, orchestrator.RowBusy, other.Row(b.ID).State, "what was loaded later is locked too")
}

func rollbackLeavesNothing(s *suite) {
	in := s.instance()
	tx := s.begin()
	tx.Rollback(s.ctx)
	require.Equal(s, orchestrator.RowMissing, s.row(in.ID).State)
	s.store(in)
	tx = s.begin(in.ID)
	tx.Rollback(s.ctx)
	require.Equal(s, orchestrator.RowLoaded, s.row(in.ID).State, "the lock was given back")
}

func rollbackAfterCommitIsHarmless(s *suite) {
	in := s.instance()
	tx := s.begin()
	require.NoError(s, tx.Commit(s.ctx, s.batch(in)))
	tx.Rollback(s.ctx)
	tx.Rollback(s.ctx)
	require.Equal(s, orchestrator.RowLoaded, s.row(in.ID).State)
}

func commitAfterRollbackIsRefused(s *suite) {
	in := s.instance()
	tx := s.begin()
	tx.Rollback(s.ctx)
	err := tx.Commit(s.ctx, s.batch(in))
	require.Error(s, err)
	require.NotErrorIs(s, err, orchestrator.ErrUnknown)
	require.Equal(s, orchestrator.RowMissing, s.row(in.ID).State)
}

func commitIgnoresCancelledContext(s *suite) {
	in := s.instance()
	tx := s.begin()
	ctx, cancel := context.WithCancel(s.ctx)
	cancel()
	require.NoError(s, tx.Commit(ctx, s.batch(in)))
	require.Equal(s, orchestrator.RowLoaded, s.row(in.ID).State)
}

// S17: a write that expects a revision which is not there any more writes nothing at all.
func commitStaleRevisionWritesNothing(s *suite) {
	a, stale, fresh := s.instance(), s.instance(), s.instance()
	s.store(a, stale)
	require.NoError(s, s.commit(s.batch(next(stale, 1))))

	b := s.batch(fresh, next(a, 1), next(stale, 1))
	b.Audit = []orchestrator.Audit{audit(tenant, "pause")}
	require.ErrorIs(s, s.commit(b), orchestrator.ErrConflict)

	require.Equal(s, int64(1), s.row(a.ID).Instance.Revision)
	require.Equal(s, int64(2), s.row(stale.ID).Instance.Revision)
	require.Equal(s, orchestrator.RowMissing, s.row(fresh.ID).State)
	entries, err := s.Store.Audit(s.ctx, tenant, 0, 10)
	require.NoError(s, err)
	require.Empty(s, entries)
	done, err := s.Store.Committed(s.ctx, b.ID, b.Writes[0])
	require.NoError(s, err)
	require.False(s, done)
}

// S23: knowing a saga's id is not enough to write it.
func commitOtherTenantsRowIsAConflict(s *suite) {
	in := s.instance()
	s.store(in)
	stranger := next(in, 1)
	stranger.Tenant = "other"
	require.ErrorIs(s, s.commit(s.batch(stranger)), orchestrator.ErrConflict)
	require.Equal(s, int64(1), s.row(in.ID).Instance.Revision)
}

func commitSecondInsertIsAConflict(s *suite) {
	in := s.instance()
	s.store(in)
	require.ErrorIs(s, s.commit(s.batch(in)), orchestrator.ErrConflict)
	missing := next(s.instance(), 1)
	require.ErrorIs(s, s.begin().Commit(s.ctx, s.batch(missing)), orchestrator.ErrConflict, "an update of what is not there")
}

func commitManySagas(s *suite) {
	var all []saga.Instance
	var ids []saga.ID
	for range 300 {
		all = append(all, s.instance())
		ids = append(ids, all[len(all)-1].ID)
	}
	s.store(all...)
	var again []saga.Instance
	for i := range all {
		again = append(again, next(all[i], 1))
	}
	again = append(again, s.instance())
	require.NoError(s, s.commit(s.batch(again...)))
	tx := s.begin(ids...)
	for _, id := range ids {
		require.Equal(s, int64(2), tx.Row(id).Instance.Revision)
		require.Len(s, tx.Row(id).Sent, 1)
		require.True(s, tx.Row(id).Sent[0].Unpublished)
	}
}

// S22: payloads are bytes, not JSON values.
func commitKeepsPayloadBytes(s *suite) {
	odd := json.RawMessage(`{ "b" : 1e400, "a":"\u0000\ud800", "a": 0.10 }`)
	in := s.instance(func(in *saga.Instance) { in.Input = odd })
	b := s.batch(in)
	b.Writes[0].Facts[0].Payload = odd
	require.NoError(s, s.commit(b))
	require.Equal(s, string(odd), string(s.row(in.ID).Instance.Input))
	entries, err := s.Store.History(s.ctx, tenant, in.ID, 0, 10)
	require.NoError(s, err)
	require.Equal(s, string(odd), string(entries[0].Fact.Payload))
}

// L5: content that a store cannot keep is told apart from everything else, so that halving a batch finds it.
func commitBadContentIsFoundByBisecting(s *suite) {
	bad := map[string]func(*saga.Instance){
		"zero character in the key":   func(in *saga.Instance) { in.Key = "a\x00b" },
		"no UTF-8 in the key":         func(in *saga.Instance) { in.Key = "a\xffb" },
		"zero character in a label":   func(in *saga.Instance) { in.Labels = map[string]string{"k": "a\x00"} },
		"a status that doesn't exist": func(in *saga.Instance) { in.Status = "sleeping" },
	}
	for name, change := range bad {
		good, poison := s.instance(), s.instance(change)
		err := s.commit(s.batch(good, poison))
		require.ErrorIs(s, err, orchestrator.ErrData, name)
		require.NotErrorIs(s, err, orchestrator.ErrConflict, name)
		require.Equal(s, orchestrator.RowMissing, s.row(good.ID).State, name)
		require.NoError(s, s.commit(s.batch(good)), name)
		require.ErrorIs(s, s.commit(s.batch(poison)), orchestrator.ErrData, name)
	}
}

// L2: not terminal means that there is a wake time.
func commitWakeTimeExactlyUnlessTerminal(s *suite) {
	b := s.batch(s.instance())
	b.Writes[0].WakeAt = time.Time{}
	require.ErrorIs(s, s.commit(b), orchestrator.ErrData, "a live saga without a wake time would be silently stuck")
	b = s.batch(s.instance(ended))
	b.Writes[0].WakeAt = s.now()
	require.ErrorIs(s, s.commit(b), orchestrator.ErrData, "an ended saga never wakes")
	require.NoError(s, s.commit(s.batch(s.instance(ended))))
}

func commitUpdateThatEnds(s *suite) {
	in := s.instance()
	s.store(in)
	in = next(in, 1)
	ended(&in)
	require.NoError(s, s.commit(s.batch(in)))
	row := s.row(in.ID)
	require.Equal(s, saga.Completed, row.Instance.Status)
	require.True(s, row.WakeAt.IsZero())
	require.Empty(s, row.Sent)
}

func committedTellsByTheFacts(s *suite) {
	in := s.instance()
	b := s.store(in)
	second := s.batch(next(in, 1))
	done, err := s.Store.Committed(s.ctx, b.ID, b.Writes[0])
	require.NoError(s, err)
	require.True(s, done)
	done, err = s.Store.Committed(s.ctx, second.ID, second.Writes[0])
	require.NoError(s, err)
	require.False(s, done, "the same saga in another batch")
}

// A commit that was given up as lost must not come through afterwards: its work has been done again by then.
func committedFalseIsFinal(s *suite) {
	in := s.instance()
	slow := s.begin()
	b := s.batch(in)
	done, err := s.Store.Committed(s.ctx, b.ID, b.Writes[0])
	require.NoError(s, err)
	require.False(s, done)
	require.ErrorIs(s, slow.Commit(s.ctx, b), orchestrator.ErrConflict)
	require.Equal(s, orchestrator.RowMissing, s.row(in.ID).State)
	again := s.batch(in)
	require.NoError(s, s.commit(again))
	done, err = s.Store.Committed(s.ctx, again.ID, again.Writes[0])
	require.NoError(s, err)
	require.True(s, done)
	overdue, err := s.Store.TakeOverdue(s.ctx, 10, time.Hour)
	require.NoError(s, err)
	require.Empty(s, overdue, "a batch that was given up has nothing to publish")
}

func historyDenseAndPaged(s *suite) {
	in := s.instance()
	first := s.store(in)
	in = next(in, 1)
	second := s.batch(in)
	require.NoError(s, s.commit(second))

	entries, err := s.Store.History(s.ctx, tenant, in.ID, 0, 100)
	require.NoError(s, err)
	require.Len(s, entries, 3)
	equal(s, first.Writes[0].Facts[0], entries[0].Fact)
	equal(s, first.Writes[0].Facts[1], entries[1].Fact)
	equal(s, second.Writes[0].Facts[0], entries[2].Fact)
	require.Equal(s, []saga.BatchID{first.ID, first.ID, second.ID}, []saga.BatchID{entries[0].Batch, entries[1].Batch, entries[2].Batch})

	page, err := s.Store.History(s.ctx, tenant, in.ID, 1, 1)
	require.NoError(s, err)
	require.Len(s, page, 1)
	require.Equal(s, int64(2), page[0].Fact.Seq)
	page, err = s.Store.History(s.ctx, tenant, in.ID, 3, 10)
	require.NoError(s, err)
	require.Empty(s, page)
	_, err = s.Store.History(s.ctx, "other", in.ID, 0, 10)
	require.ErrorIs(s, err, orchestrator.ErrNotFound)
	_, err = s.Store.History(s.ctx, tenant, s.id(1), 0, 10)
	require.ErrorIs(s, err, orchestrator.ErrNotFound)
}

func historyReceiptsAreJoined(s *suite) {
	a, c := s.instance(), s.instance()
	b := s.store(a, c)
	at := s.now()
	require.NoError(s, s.Store.Settle(s.ctx, []orchestrator.Settled{{Batch: b.ID, Acked: acked(at, 1), Left: []int{0}}}))
	entries, err := s.Store.History(s.ctx, tenant, c.ID, 0, 10)
	require.NoError(s, err)
	require.Nil(s, entries[0].Receipt, "no command")
	equal(s, &orchestrator.Receipt{Partition: 3, Offset: 101, At: at}, entries[1].Receipt)
	entries, err = s.Store.History(s.ctx, tenant, a.ID, 0, 10)
	require.NoError(s, err)
	require.Nil(s, entries[1].Receipt, "not acknowledged yet")
}
