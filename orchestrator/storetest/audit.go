package storetest

import (
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator"
	auditing "github.com/skaldhq/skald/orchestrator/audit"
	"github.com/skaldhq/skald/orchestrator/internal/stored"
	"github.com/skaldhq/skald/orchestrator/saga"
)

func (s *suite) slice(q auditing.SagaQuery) auditing.Slice {
	s.Helper()
	if q.Tenant == "" {
		q.Tenant = tenant
	}
	if q.Limit == 0 {
		q.Limit = 100
	}
	slice, err := s.Store.AuditSagas(s.ctx, q)
	require.NoError(s, err)
	return slice
}

func idsOf(slice *auditing.Slice) (ids []saga.ID) {
	for i := range slice.Sagas {
		ids = append(ids, slice.Sagas[i].ID)
	}
	return ids
}

func auditSagasWithAllThatBelongsToThem(s *suite) {
	in := s.instance(func(in *saga.Instance) {
		in.Key, in.Labels = "A-1", map[string]string{"team": "blue"}
		in.Attention = []saga.Attention{{Reason: saga.AttentionSlow, Step: "reserve"}}
	})
	plain := s.instance()
	b := s.batch(in, plain)
	b.Writes[0].Blocked[0].Participant = "stock"
	hash := [32]byte{7}
	tx := s.beginNeed(orchestrator.Need{Claims: []orchestrator.Claim{{Kind: orchestrator.ClaimBusinessKey, Tenant: tenant, Saga: "order", Key: "A-1", ID: in.ID, Hash: hash}}})
	require.NoError(s, tx.Commit(s.ctx, b))
	at := s.now()
	require.NoError(s, s.Store.Settle(s.ctx, []orchestrator.Settled{{Batch: b.ID, Acked: acked(at, 0), Left: []int{1}}}))

	slice := s.slice(auditing.SagaQuery{})
	require.Equal(s, []saga.ID{in.ID, plain.ID}, idsOf(&slice))
	require.WithinDuration(s, time.Now(), slice.At, time.Minute)
	require.WithinDuration(s, slice.At.Add(-90*24*time.Hour), slice.ReceiptsSince, time.Second)
	w := b.Writes[0]
	bytes, err := saga.EncodeInstance(w.Next)
	require.NoError(s, err)
	got := slice.Sagas[0]
	require.Len(s, got.Facts, 2)
	for i, f := range got.Facts {
		want, err := saga.EncodeFact(w.Facts[i])
		require.NoError(s, err)
		require.Equal(s, auditing.Fact{Seq: int64(i) + 1, Batch: b.ID, Bytes: want}, f)
	}
	require.NotNil(s, got.Owner)
	require.Equal(s, auditing.Owner{ID: in.ID, Hash: hash[:], CreatedAt: got.CreatedAt}, *got.Owner)
	got.Facts, got.Owner = nil, nil
	require.Equal(s, auditing.Saga{
		ID: in.ID, Shard: in.ID.Shard(), Tenant: tenant, Saga: "order", Version: 1, Key: "A-1", Status: saga.Running, Revision: 1,
		CreatedAt: in.CreatedAt.UTC().Truncate(time.Microsecond), WakeAt: w.WakeAt.UTC().Truncate(time.Microsecond), Labels: in.Labels,
		Attention: []string{"slow"}, Causes: []string{"reply"}, Waits: []string{"reply stock"}, Batches: []saga.BatchID{b.ID}, Instance: bytes,
	}, got)
	require.Nil(s, slice.Sagas[1].Owner)
	require.Empty(s, slice.Sagas[1].Labels)
	require.Equal(s, map[saga.BatchID]auditing.Batch{
		b.ID: {InOutbox: true, Waiting: []int32{1}, Acks: stored.EncodeAcks(acked(at, 0))},
	}, slice.Batches)
	require.NoError(s, s.Store.Settle(s.ctx, []orchestrator.Settled{{Batch: b.ID}}))
	slice = s.slice(auditing.SagaQuery{})
	require.False(s, slice.Batches[b.ID].InOutbox)
}

func auditSagasPagesAndFilters(s *suite) {
	var all []saga.ID
	for i := range 5 {
		in := s.instance(func(in *saga.Instance) {
			in.Version = 1 + i%2
			if i == 4 {
				in.Saga = "errand"
				ended(in)
			}
		})
		s.store(in)
		all = append(all, in.ID)
	}
	s.store(s.instance(func(in *saga.Instance) { in.Tenant = "other" }))
	var seen []saga.ID
	for after := (saga.ID{}); ; {
		page := s.slice(auditing.SagaQuery{After: after, Limit: 2})
		seen = append(seen, idsOf(&page)...)
		if len(page.Sagas) < 2 {
			break
		}
		after = seen[len(seen)-1]
	}
	require.Equal(s, all, seen)
	for name, c := range map[string]struct {
		q    auditing.SagaQuery
		want []saga.ID
	}{
		"ID":          {auditing.SagaQuery{ID: all[2]}, all[2:3]},
		"IDOfAnother": {auditing.SagaQuery{Tenant: "other", ID: all[2]}, nil},
		"Saga":        {auditing.SagaQuery{Saga: "errand"}, all[4:]},
		"Version":     {auditing.SagaQuery{Saga: "order", Version: 2}, []saga.ID{all[1], all[3]}},
		"Since":       {auditing.SagaQuery{CreatedSince: time.Now().Add(time.Hour)}, nil},
		"SinceLong":   {auditing.SagaQuery{CreatedSince: time.Now().Add(-time.Hour)}, all},
	} {
		page := s.slice(c.q)
		require.Equal(s, c.want, idsOf(&page), name)
	}
	page := s.slice(auditing.SagaQuery{ID: all[4]})
	require.True(s, page.Sagas[0].WakeAt.IsZero())
	require.Equal(s, saga.Completed, page.Sagas[0].Status)
}

func auditOutboxWithTheSagasItNames(s *suite) {
	in := s.instance()
	first := s.store(in)
	ghost := s.batch(s.instance())
	ghost.Writes[0].Next.Steps[0].Status = saga.Succeeded
	stranger := s.id(3)
	ghost.Outbox[0].Saga = stranger
	require.NoError(s, s.commit(ghost))
	page, err := s.Store.AuditOutbox(s.ctx, saga.BatchID{}, 10)
	require.NoError(s, err)
	require.Len(s, page.Rows, 2)
	require.Equal(s, first.ID, page.Rows[0].Batch)
	require.Equal(s, []int32{0}, page.Rows[0].Waiting)
	require.WithinDuration(s, time.Now().Add(time.Hour), page.Rows[0].RetryAt, time.Minute)
	records, err := stored.EncodeRecords(first.Outbox)
	require.NoError(s, err)
	require.Equal(s, records, page.Rows[0].Records)
	bytes, err := saga.EncodeInstance(first.Writes[0].Next)
	require.NoError(s, err)
	require.Equal(s, map[saga.ID][]byte{in.ID: bytes}, page.Sagas, "the stranger does not exist")
	require.Equal(s, []saga.ID{stranger}, auditing.RecordSagas(&page.Rows[1]))
	next, err := s.Store.AuditOutbox(s.ctx, first.ID, 10)
	require.NoError(s, err)
	require.Equal(s, page.Rows[1:], next.Rows)
	next, err = s.Store.AuditOutbox(s.ctx, saga.BatchID{}, 1)
	require.NoError(s, err)
	require.Equal(s, page.Rows[:1], next.Rows)
}

func auditKeysWithTheSagasTheyName(s *suite) {
	in := s.instance(func(in *saga.Instance) { in.Key = "A-1" })
	nobody := s.id(1)
	hash := [32]byte{1}
	claims := []orchestrator.Claim{
		{Kind: orchestrator.ClaimBusinessKey, Tenant: tenant, Saga: "order", Key: "A-1", ID: in.ID, Hash: hash},
		{Kind: orchestrator.ClaimBusinessKey, Tenant: tenant, Saga: "order", Key: "A-2", ID: nobody, Hash: hash},
		{Kind: orchestrator.ClaimBusinessKey, Tenant: tenant, Saga: "zoo", Key: "A-0", ID: nobody, Hash: hash},
		{Kind: orchestrator.ClaimIdempotencyKey, Tenant: tenant, Key: "k-1", ID: in.ID, Hash: hash},
		{Kind: orchestrator.ClaimIdempotencyKey, Tenant: tenant, Key: "k-2", ID: nobody, Hash: hash},
	}
	b := s.batch(in)
	body := []byte(`{"started": {"id": "` + in.ID.String() + `"}}`)
	b.Answers = []orchestrator.Answer{{Tenant: tenant, Key: "k-1", Body: body}}
	require.NoError(s, s.beginNeed(orchestrator.Need{Claims: claims}).Commit(s.ctx, b))
	keys := func(kind orchestrator.ClaimKind, after auditing.Key, limit int) auditing.Keys {
		s.Helper()
		page, err := s.Store.AuditKeys(s.ctx, kind, tenant, after, limit)
		require.NoError(s, err)
		return page
	}
	owner := map[saga.ID]auditing.KeyOwner{in.ID: {Tenant: tenant, Saga: "order", Key: "A-1", Revision: 1}}
	business := keys(orchestrator.ClaimBusinessKey, auditing.Key{}, 10)
	require.Equal(s, []auditing.KeyRow{
		{Key: auditing.Key{Saga: "order", Key: "A-1"}, ID: in.ID, Hash: hash[:]},
		{Key: auditing.Key{Saga: "order", Key: "A-2"}, ID: nobody, Hash: hash[:]},
		{Key: auditing.Key{Saga: "zoo", Key: "A-0"}, ID: nobody, Hash: hash[:]},
	}, business.Keys)
	require.Equal(s, owner, business.Sagas)
	for n := range business.Keys {
		after := auditing.Key{}
		if n > 0 {
			after = business.Keys[n-1].Key
		}
		require.Equal(s, business.Keys[n:n+1], keys(orchestrator.ClaimBusinessKey, after, 1).Keys)
	}
	answers := keys(orchestrator.ClaimIdempotencyKey, auditing.Key{}, 10)
	require.Equal(s, []auditing.KeyRow{
		{Key: auditing.Key{Key: "k-1"}, ID: in.ID, Hash: hash[:], Answer: stored.EncodePlain(body)},
		{Key: auditing.Key{Key: "k-2"}, ID: nobody, Hash: hash[:]},
	}, answers.Keys)
	require.Equal(s, owner, answers.Sagas)
	require.Equal(s, answers.Keys[1:], keys(orchestrator.ClaimIdempotencyKey, answers.Keys[0].Key, 10).Keys)
	empty, err := s.Store.AuditKeys(s.ctx, orchestrator.ClaimBusinessKey, "other", auditing.Key{}, 10)
	require.NoError(s, err)
	require.Empty(s, empty.Keys)
}

func auditScopeOfEveryTenant(s *suite) {
	scope, err := s.Store.AuditScope(s.ctx)
	require.NoError(s, err)
	require.Empty(s, scope.Tenants)
	require.True(s, scope.SagasSince.Before(time.Now()))
	b := s.batch(s.instance(), s.instance(func(in *saga.Instance) { in.Tenant = "b" }))
	b.Audit = []orchestrator.Audit{audit("c", "x")}
	tx := s.beginNeed(orchestrator.Need{Claims: []orchestrator.Claim{
		{Kind: orchestrator.ClaimBusinessKey, Tenant: "Z", Saga: "order", Key: "k", ID: s.id(1)},
		{Kind: orchestrator.ClaimIdempotencyKey, Tenant: "a", Key: "k", ID: s.id(1)},
	}})
	require.NoError(s, tx.Commit(s.ctx, b))
	scope, err = s.Store.AuditScope(s.ctx)
	require.NoError(s, err)
	require.Equal(s, []string{"Z", "a", "b", "c", tenant}, scope.Tenants)
}

func auditHistoryOfNobody(s *suite) {
	var ids []saga.ID
	for range 3 {
		in := s.instance()
		s.store(in)
		ids = append(ids, in.ID)
	}
	strays, err := s.Store.AuditHistory(s.ctx, 0, 4095, 10)
	require.NoError(s, err)
	require.Empty(s, strays)
	require.True(s, slices.IsSortedFunc(ids, stored.CompareIDs))
}
