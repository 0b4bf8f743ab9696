package storetest

import (
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/internal/stored"
)

func quarantineOneRecord(s *suite) {
	q := s.poison(tenant, 1)
	listed := s.quarantined(q)[0]
	got, err := s.Store.QuarantineRecord(s.ctx, tenant, listed.ID)
	require.NoError(s, err)
	equal(s, listed, got)
	equal(s, q, got.Quarantined)
	require.Equal(s, orchestrator.Fingerprint(q.Reason, q.Message, q.Topic), got.Fingerprint)
	equal(s, orchestrator.QuarantineHandling{State: orchestrator.QuarantineWaiting}, got.Handling)
	_, err = s.Store.QuarantineRecord(s.ctx, "other", listed.ID)
	require.ErrorIs(s, err, orchestrator.ErrNotFound, "S23")
	_, err = s.Store.QuarantineRecord(s.ctx, tenant, listed.ID+1)
	require.ErrorIs(s, err, orchestrator.ErrNotFound)
}

// causes are four records of two causes: offsets 1 and 3 have the one, 2 and 4 the other.
func (s *suite) causes() (prints [2]string, entries []orchestrator.QuarantineEntry) {
	s.Helper()
	var records []orchestrator.Quarantined
	for offset := int64(1); offset <= 4; offset++ {
		q := s.poison(tenant, offset)
		if offset%2 == 0 {
			q.Reason, q.Message, q.Topic = "unknown_saga", "there is no such saga", "other.replies"
		}
		records = append(records, q)
	}
	entries = s.quarantined(records...)
	require.Len(s, entries, 4)
	return [2]string{entries[3].Fingerprint, entries[2].Fingerprint}, entries
}

func quarantineFilters(s *suite) {
	prints, entries := s.causes()
	s.handled(orchestrator.QuarantineHandled{ID: entries[0].ID, Topic: entries[0].Topic, Handling: s.handling(orchestrator.QuarantineDiscarded)})
	for name, c := range map[string]struct {
		q    orchestrator.QuarantineQuery
		want []int64
	}{
		"all":         {orchestrator.QuarantineQuery{}, []int64{4, 3, 2, 1}},
		"fingerprint": {orchestrator.QuarantineQuery{Fingerprint: prints[0]}, []int64{3, 1}},
		"reason":      {orchestrator.QuarantineQuery{Reason: "unknown_saga"}, []int64{4, 2}},
		"topic":       {orchestrator.QuarantineQuery{Topic: "other.replies"}, []int64{4, 2}},
		"saga":        {orchestrator.QuarantineQuery{Saga: entries[1].Saga}, []int64{3}},
		"of a saga":   {orchestrator.QuarantineQuery{Saga: entries[1].Saga, State: orchestrator.QuarantineWaiting}, []int64{3}},
		"handled":     {orchestrator.QuarantineQuery{Saga: entries[0].Saga, State: orchestrator.QuarantineWaiting}, nil},
		"waiting":     {orchestrator.QuarantineQuery{State: orchestrator.QuarantineWaiting}, []int64{3, 2, 1}},
		"discarded":   {orchestrator.QuarantineQuery{State: orchestrator.QuarantineDiscarded}, []int64{4}},
		"both":        {orchestrator.QuarantineQuery{Reason: "unknown_saga", State: orchestrator.QuarantineWaiting}, []int64{2}},
		"nobody's":    {orchestrator.QuarantineQuery{Reason: "unknown_saga", Topic: "skald.replies"}, nil},
		"oldest":      {orchestrator.QuarantineQuery{OldestFirst: true}, []int64{1, 2, 3, 4}},
		"oldest open": {orchestrator.QuarantineQuery{OldestFirst: true, State: orchestrator.QuarantineWaiting}, []int64{1, 2, 3}},
	} {
		c.q.Tenant, c.q.Limit = tenant, 10
		got, err := s.Store.Quarantine(s.ctx, c.q)
		require.NoError(s, err, name)
		var offsets []int64
		for _, e := range got {
			offsets = append(offsets, e.Offset)
			require.Nil(s, e.Key, name)
			require.Nil(s, e.Value, name)
			require.Nil(s, e.Headers, name)
			require.True(s, e.Kept, name)
		}
		require.Equal(s, c.want, offsets, name)
		c.q.Tenant = "other"
		got, err = s.Store.Quarantine(s.ctx, c.q)
		require.NoError(s, err, name)
		require.Empty(s, got, name)
	}
	stats, err := s.Store.Stats(s.ctx, tenant)
	require.NoError(s, err)
	require.EqualValues(s, 3, stats.Quarantined, "those that wait for a person")
}

func quarantineGroups(s *suite) {
	prints, entries := s.causes()
	groups, err := s.Store.QuarantineGroups(s.ctx, orchestrator.QuarantineQuery{Tenant: tenant, Limit: 10})
	require.NoError(s, err)
	want := []orchestrator.QuarantineGroup{
		{Fingerprint: prints[1], Reason: "unknown_saga", Topic: "other.replies", Message: "there is no such saga", Count: 2, First: entries[2].At, Last: entries[0].At, Example: entries[0].ID},
		{Fingerprint: prints[0], Reason: "unreadable", Topic: "skald.replies", Message: "no outcome", Count: 2, First: entries[3].At, Last: entries[1].At, Example: entries[1].ID},
	}
	equal(s, want, groups)
	groups, err = s.Store.QuarantineGroups(s.ctx, orchestrator.QuarantineQuery{Tenant: tenant, Limit: 10, Reason: "unreadable"})
	require.NoError(s, err)
	equal(s, want[1:], groups)
	groups, err = s.Store.QuarantineGroups(s.ctx, orchestrator.QuarantineQuery{Tenant: tenant, Limit: 1})
	require.NoError(s, err)
	equal(s, want[:1], groups)
	groups, err = s.Store.QuarantineGroups(s.ctx, orchestrator.QuarantineQuery{Tenant: "other", Limit: 10})
	require.NoError(s, err)
	require.Empty(s, groups)
}

func (s *suite) handling(state orchestrator.QuarantineState) orchestrator.QuarantineHandling {
	return orchestrator.QuarantineHandling{
		State: state, Outcome: orchestrator.QuarantineDropped, Why: "why", By: "op", Reason: "known", At: s.now(), Attempt: s.id(99),
	}
}

// handled commits handlings under lock, as the committer does.
func (s *suite) handled(handled ...orchestrator.QuarantineHandled) {
	s.Helper()
	tx := s.begin()
	for _, h := range handled {
		got, err := tx.LockQuarantined(s.ctx, []int64{h.ID})
		require.NoError(s, err)
		require.Contains(s, got, h.ID)
	}
	require.NoError(s, tx.Commit(s.ctx, orchestrator.Batch{ID: s.batchID(), Handled: handled}))
}

func quarantineHandled(s *suite) {
	_, entries := s.causes()
	dropped, again := entries[0], entries[1]
	gone := s.handling(orchestrator.QuarantineDiscarded)
	stays := s.handling(orchestrator.QuarantineWaiting)
	stays.Outcome, stays.Redrives, stays.Vouched = orchestrator.QuarantineAgain, 1, true
	s.handled(
		orchestrator.QuarantineHandled{ID: dropped.ID, Topic: dropped.Topic, Handling: gone},
		orchestrator.QuarantineHandled{ID: again.ID, Topic: again.Topic, Handling: stays, Cause: &orchestrator.QuarantineCause{Reason: "not_asked", Message: "step 7"}},
	)
	got, err := s.Store.QuarantineRecord(s.ctx, tenant, dropped.ID)
	require.NoError(s, err)
	dropped.Handling = gone
	equal(s, dropped, got)
	got, err = s.Store.QuarantineRecord(s.ctx, tenant, again.ID)
	require.NoError(s, err)
	again.Handling, again.Reason, again.Message = stays, "not_asked", "step 7"
	again.Fingerprint = orchestrator.Fingerprint("not_asked", "step 7", again.Topic)
	equal(s, again, got)
	tx := s.begin()
	locked, err := tx.LockQuarantined(s.ctx, []int64{again.ID, dropped.ID, 1000})
	require.NoError(s, err)
	equal(s, map[int64]orchestrator.QuarantineHandling{again.ID: stays, dropped.ID: gone}, locked)
	tx.Rollback(s.ctx)
}

// What is no longer waiting is left as it is, and nothing of the batch is written.
func quarantineHandledOnce(s *suite) {
	e := s.quarantined(s.poison(tenant, 1))[0]
	once := orchestrator.QuarantineHandled{ID: e.ID, Topic: e.Topic, Handling: s.handling(orchestrator.QuarantineDiscarded)}
	s.handled(once)
	b := s.batch(s.instance())
	b.Handled = []orchestrator.QuarantineHandled{once}
	b.Audit = []orchestrator.Audit{audit(tenant, "quarantine.discard")}
	require.ErrorIs(s, s.commit(b), orchestrator.ErrConflict)
	list, err := s.Store.Audit(s.ctx, tenant, 0, 10)
	require.NoError(s, err)
	require.Empty(s, list)
	bad := s.quarantined(s.poison(tenant, 2))[0]
	h := orchestrator.QuarantineHandled{ID: bad.ID, Topic: bad.Topic, Handling: s.handling(orchestrator.QuarantineDiscarded)}
	h.Handling.Reason = "\xff"
	require.ErrorIs(s, s.commit(orchestrator.Batch{ID: s.batchID(), Handled: []orchestrator.QuarantineHandled{h}}), orchestrator.ErrData)
}

func quarantineLockedRecordIsLeftOut(s *suite) {
	entries := s.quarantined(s.poison(tenant, 1), s.poison(stored.TenantDefault, 2))
	first, second := s.begin(), s.begin()
	got, err := first.LockQuarantined(s.ctx, []int64{entries[0].ID})
	require.NoError(s, err)
	require.Len(s, got, 1)
	got, err = first.LockQuarantined(s.ctx, []int64{entries[0].ID})
	require.NoError(s, err)
	require.Len(s, got, 1, "whoever has the lock gets it again")
	began := time.Now()
	got, err = second.LockQuarantined(s.ctx, []int64{entries[0].ID, entries[1].ID})
	require.NoError(s, err)
	require.Len(s, got, 1, "nobody waits for a lock")
	require.Contains(s, got, entries[1].ID)
	require.Less(s, time.Since(began), 10*time.Second)
	first.Rollback(s.ctx)
	got, err = second.LockQuarantined(s.ctx, []int64{entries[0].ID})
	require.NoError(s, err)
	require.Len(s, got, 1)
	second.Rollback(s.ctx)
	_, err = second.LockQuarantined(s.ctx, []int64{entries[0].ID})
	require.Error(s, err)
}
