package storetest

import (
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

func (s *suite) overdue(limit int) []orchestrator.OutboxRow {
	s.Helper()
	rows, err := s.Store.TakeOverdue(s.ctx, limit, time.Hour)
	require.NoError(s, err)
	return rows
}

// dueAtOnce stores new sagas whose outbox row is overdue.
func (s *suite) dueAtOnce(sagas ...saga.Instance) orchestrator.Batch {
	s.Helper()
	b := s.batch(sagas...)
	b.RetryIn = -time.Second
	require.NoError(s, s.commit(b))
	return b
}

func outboxRowPerBatch(s *suite) {
	b := s.dueAtOnce(s.instance(), s.instance(), s.instance())
	rows := s.overdue(10)
	require.Len(s, rows, 1)
	equal(s, orchestrator.OutboxRow{Batch: b.ID, Indexes: []int{0, 1, 2}, Records: b.Outbox, MaybeSent: true}, rows[0])
	require.Nil(s, rows[0].Records[0].Headers[2].Value, "a header without a value is not one with an empty value")
	require.NotNil(s, rows[0].Records[0].Headers[1].Value)

	require.NoError(s, s.commit(s.batch(s.instance(ended))), "a batch without records")
	require.Empty(s, s.overdue(10))
}

func outboxNotBeforeItsTime(s *suite) {
	s.store(s.instance())
	require.Empty(s, s.overdue(10), "its owner has until retry_at")
	s.Age(s, 2*time.Hour)
	require.Len(s, s.overdue(10), 1)
}

func outboxTakenAgainLater(s *suite) {
	b := s.dueAtOnce(s.instance())
	require.Len(s, s.overdue(10), 1)
	require.Empty(s, s.overdue(10), "whoever took it has until the next retry time")
	s.Age(s, 59*time.Minute)
	require.Empty(s, s.overdue(10))
	s.Age(s, 2*time.Minute)
	require.Equal(s, b.ID, s.overdue(10)[0].Batch, "its taker may have died")
}

func outboxLimitOldestFirst(s *suite) {
	var want []saga.BatchID
	for range 3 {
		want = append(want, s.dueAtOnce(s.instance()).ID)
	}
	var got []saga.BatchID
	for _, row := range s.overdue(2) {
		got = append(got, row.Batch)
	}
	require.Equal(s, want[:2], got)
	require.Equal(s, want[2], s.overdue(2)[0].Batch)
}

func outboxSettledInPart(s *suite) {
	b := s.dueAtOnce(s.instance(), s.instance(), s.instance())
	settle := func(left []int, done ...int) {
		require.NoError(s, s.Store.Settle(s.ctx, []orchestrator.Settled{{Batch: b.ID, Acked: acked(s.now(), done...), Left: left}}))
	}
	settle([]int{0, 2}, 1)
	row := s.overdue(10)[0]
	equal(s, orchestrator.OutboxRow{Batch: b.ID, Indexes: []int{0, 2}, Records: []orchestrator.Record{b.Outbox[0], b.Outbox[2]}, MaybeSent: true}, row)

	settle([]int{1, 2}, 0) // by a slow publisher that still thinks 1 is to be sent
	s.Age(s, 2*time.Hour)
	require.Equal(s, []int{2}, s.overdue(10)[0].Indexes, "what is settled once stays so")
	settle(nil, 2)
	s.Age(s, 2*time.Hour)
	require.Empty(s, s.overdue(10))
	for i, w := range b.Writes {
		entries, err := s.Store.History(s.ctx, tenant, w.Next.ID, 0, 10)
		require.NoError(s, err)
		require.Equal(s, 100+int64(i), entries[1].Receipt.Offset, "the receipts of all parts")
	}
}

func outboxSettledByABatch(s *suite) {
	in := s.instance()
	b := s.dueAtOnce(in)
	stale := s.batch(next(in, 1), next(s.instance(), 1))
	stale.Settled = []orchestrator.Settled{{Batch: b.ID, Acked: acked(s.now(), 0)}}
	require.ErrorIs(s, s.commit(stale), orchestrator.ErrConflict)
	require.Len(s, s.overdue(10), 1, "a batch that failed settles nothing")

	after := s.batch(next(in, 1))
	after.Settled = stale.Settled
	require.NoError(s, s.commit(after))
	s.Age(s, 30*time.Minute) // not the new batch's retry time
	require.Empty(s, s.overdue(10))
	entries, err := s.Store.History(s.ctx, tenant, in.ID, 0, 10)
	require.NoError(s, err)
	require.NotNil(s, entries[1].Receipt)
}

// Two replicas may publish the same row; both settle it. The first says where the record stands.
func outboxSettledTwice(s *suite) {
	in := s.instance()
	b := s.dueAtOnce(in)
	at := s.now()
	first := orchestrator.Settled{Batch: b.ID, Acked: acked(at, 0)}
	require.NoError(s, s.Store.Settle(s.ctx, []orchestrator.Settled{first, first}), "in one call too")
	again := []orchestrator.Acked{{Index: 0, Partition: 3, Offset: 999, At: at.Add(time.Second)}}
	require.NoError(s, s.Store.Settle(s.ctx, []orchestrator.Settled{{Batch: b.ID, Acked: again}}))
	require.NoError(s, s.Store.Settle(s.ctx, []orchestrator.Settled{{Batch: s.batchID()}}), "a batch that never was")
	entries, err := s.Store.History(s.ctx, tenant, in.ID, 0, 10)
	require.NoError(s, err)
	equal(s, &orchestrator.Receipt{Partition: 3, Offset: 100, At: at}, entries[1].Receipt)
}

func outboxRefusedIsNeitherAckedNorLeft(s *suite) {
	a, c := s.instance(), s.instance()
	b := s.dueAtOnce(a, c)
	require.NoError(s, s.Store.Settle(s.ctx, []orchestrator.Settled{{Batch: b.ID, Acked: acked(s.now(), 1)}}))
	require.Empty(s, s.overdue(10))
	sent := s.row(a.ID).Sent
	require.Len(s, sent, 1)
	require.False(s, sent[0].Unpublished)
	require.True(s, sent[0].AckedAt.IsZero(), "it was refused")
	require.False(s, s.row(c.ID).Sent[0].AckedAt.IsZero())
}

func outboxDepth(s *suite) {
	depth := func(atMost int) int {
		n, err := s.Store.OutboxDepth(s.ctx, atMost)
		require.NoError(s, err)
		return n
	}
	require.Zero(s, depth(10))
	var b orchestrator.Batch
	for range 3 {
		b = s.store(s.instance())
	}
	require.Equal(s, 3, depth(10))
	require.Equal(s, 2, depth(2), "counting stops")
	require.NoError(s, s.Store.Settle(s.ctx, []orchestrator.Settled{{Batch: b.ID, Acked: acked(s.now(), 0)}}))
	require.Equal(s, 2, depth(10))
}

func lateness(s *suite) {
	look := func() orchestrator.Lateness {
		late, err := s.Store.Lateness(s.ctx)
		require.NoError(s, err)
		return late
	}
	require.Zero(s, look())
	b := s.batch(s.instance(), s.instance())
	b.ID = saga.BatchID(saga.NewID(s.now().Add(-time.Minute), 0, 7))
	b.Writes[0].WakeAt, b.Writes[1].WakeAt = s.now().Add(time.Hour), s.now().Add(time.Hour)
	require.NoError(s, s.commit(b))
	late := look()
	require.Zero(s, late.Overdue, "none is due")
	require.InDelta(s, time.Minute, late.Outbox, float64(30*time.Second))
	newer := s.batch(s.instance(), s.instance())
	newer.Writes[0].WakeAt, newer.Writes[1].WakeAt = s.now().Add(-10*time.Minute), s.now().Add(-20*time.Minute)
	require.NoError(s, s.commit(newer))
	late = look()
	require.InDelta(s, 20*time.Minute, late.Overdue, float64(30*time.Second), "that of the saga which waits the longest")
	require.InDelta(s, time.Minute, late.Outbox, float64(30*time.Second), "that of the oldest batch")
	for _, settled := range []orchestrator.Batch{b, newer} {
		require.NoError(s, s.Store.Settle(s.ctx, []orchestrator.Settled{{Batch: settled.ID, Acked: acked(s.now(), 0)}}))
	}
	require.Zero(s, look().Outbox)
}

func sentUnpublishedThenAcked(s *suite) {
	in := s.instance()
	b := s.store(in)
	equal(s, []saga.Sent{{Step: 0, Verb: saga.Execute, Unpublished: true}}, s.row(in.ID).Sent)
	at := s.now()
	require.NoError(s, s.Store.Settle(s.ctx, []orchestrator.Settled{{Batch: b.ID, Acked: acked(at, 0)}}))
	want := []saga.Sent{{Step: 0, Verb: saga.Execute, AckedAt: at, Partition: 3, Offset: 100}}
	equal(s, want, s.row(in.ID).Sent)
	view, err := s.Store.Saga(s.ctx, tenant, in.ID)
	require.NoError(s, err)
	equal(s, want, view.Sent)
	page, err := s.Store.Sagas(s.ctx, orchestrator.SagaQuery{Tenant: tenant, Limit: 10})
	require.NoError(s, err)
	equal(s, want, page.Sagas[0].Sent)
}

func sentOnlyOpenCommands(s *suite) {
	in := s.instance()
	b := s.batch(in)
	leg := b.Writes[0].Next.Steps[0].Forward
	b.Writes[0].Next.Steps = []saga.StepState{
		{Status: saga.Succeeded, Effect: saga.EffectCertain, Forward: leg},
		{Status: saga.BackingOff, Effect: saga.EffectPossible, Forward: leg},
		{Status: saga.Undoing, Effect: saga.EffectPossible, Forward: leg, Backward: leg},
		{Status: saga.UndoBackingOff, Effect: saga.EffectPossible, Forward: leg, Backward: leg},
		{Status: saga.Unknown, Effect: saga.EffectPossible, Forward: leg},
		{Status: saga.InFlight, Effect: saga.EffectPossible, Forward: leg},
	}
	require.NoError(s, s.commit(b))
	equal(s, []saga.Sent{
		{Step: 2, Verb: saga.Compensate, Unpublished: true},
		{Step: 5, Verb: saga.Execute, Unpublished: true},
	}, s.row(in.ID).Sent)
}

func dueOldestFirst(s *suite) {
	b := s.batch(s.instance(), s.instance(), s.instance(), s.instance(ended), s.instance())
	now := s.now().Truncate(10 * time.Second)
	b.Writes[0].WakeAt = now.Add(-20 * time.Second)
	b.Writes[1].WakeAt = now.Add(-40 * time.Second)
	b.Writes[2].WakeAt = now.Add(time.Hour)
	b.Writes[4].WakeAt = now.Add(-30 * time.Second)
	require.NoError(s, s.commit(b))
	due, err := s.Store.Due(s.ctx, 2)
	require.NoError(s, err)
	require.Equal(s, []saga.ID{b.Writes[1].Next.ID, b.Writes[4].Next.ID}, due)
	due, err = s.Store.Due(s.ctx, 10)
	require.NoError(s, err)
	require.Len(s, due, 3)
}

func dueLeavesLockedRowsOut(s *suite) {
	b := s.batch(s.instance(), s.instance())
	for i := range b.Writes {
		b.Writes[i].WakeAt = s.now().Add(-time.Minute)
	}
	require.NoError(s, s.commit(b))
	s.begin(b.Writes[0].Next.ID)
	due, err := s.Store.Due(s.ctx, 10)
	require.NoError(s, err)
	require.Equal(s, []saga.ID{b.Writes[1].Next.ID}, due)
}
