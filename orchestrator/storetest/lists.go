package storetest

import (
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

func (s *suite) list(q orchestrator.SagaQuery) orchestrator.SagaPage {
	s.Helper()
	if q.Tenant == "" {
		q.Tenant = tenant
	}
	if q.Limit == 0 {
		q.Limit = 50
	}
	page, err := s.Store.Sagas(s.ctx, q)
	require.NoError(s, err)
	return page
}

func ids(page orchestrator.SagaPage) []saga.ID {
	var out []saga.ID
	for _, v := range page.Sagas {
		out = append(out, v.Instance.ID)
	}
	return out
}

// All filters of design section 8.
func sagasFilters(s *suite) {
	start := s.now().Add(-time.Hour)
	sagas := []saga.Instance{
		s.instance(func(in *saga.Instance) { in.CreatedAt = start; in.Key = "A-1" }),
		s.instance(func(in *saga.Instance) {
			in.CreatedAt, in.Saga = start.Add(time.Minute), "refund"
			in.Labels = map[string]string{"region": "eu", "tier": "gold"}
		}),
		s.instance(func(in *saga.Instance) {
			in.CreatedAt, in.Status = start.Add(2*time.Minute), saga.Suspended
			in.Labels = map[string]string{"region": "us"}
			in.Attention = []saga.Attention{{Reason: saga.AttentionRejected, Step: "reserve", Since: start}, {Reason: saga.AttentionDeadline, Since: start}}
			in.Steps[0].Status = saga.Stuck
		}),
		s.instance(ended, func(in *saga.Instance) { in.CreatedAt = start.Add(3 * time.Minute); in.Key = "A-1" }),
	}
	b := s.batch(sagas...)
	b.Writes[2].Blocked = []saga.BlockedOn{{Cause: saga.CauseAttention}, {Cause: saga.CauseHold, Participant: "stock"}}
	b.Writes[0].Blocked[0].Participant = "bank"
	require.NoError(s, s.commit(b))

	cases := map[string]struct {
		query orchestrator.SagaQuery
		want  []int // newest first
	}{
		"all":                   {orchestrator.SagaQuery{}, []int{3, 2, 1, 0}},
		"saga":                  {orchestrator.SagaQuery{Saga: "order"}, []int{3, 2, 0}},
		"saga that isn't":       {orchestrator.SagaQuery{Saga: "orde"}, nil},
		"status":                {orchestrator.SagaQuery{Statuses: []saga.Status{saga.Running}}, []int{1, 0}},
		"statuses":              {orchestrator.SagaQuery{Statuses: []saga.Status{saga.Completed, saga.Suspended}}, []int{3, 2}},
		"version":               {orchestrator.SagaQuery{Version: 1}, []int{3, 2, 1, 0}},
		"version, other":        {orchestrator.SagaQuery{Version: 2}, nil},
		"verdict":               {orchestrator.SagaQuery{Verdict: saga.Committed}, []int{3}},
		"verdict, other":        {orchestrator.SagaQuery{Verdict: saga.Residue}, nil},
		"attention, any":        {orchestrator.SagaQuery{Attention: "any"}, []int{2}},
		"attention, a reason":   {orchestrator.SagaQuery{Attention: "deadline"}, []int{2}},
		"attention, other":      {orchestrator.SagaQuery{Attention: "slow"}, nil},
		"blocked on attention":  {orchestrator.SagaQuery{BlockedOn: saga.CauseAttention}, []int{2}},
		"blocked on hold":       {orchestrator.SagaQuery{BlockedOn: saga.CauseHold}, []int{2}},
		"blocked, unpublished":  {orchestrator.SagaQuery{BlockedOn: saga.CauseUnpublished}, []int{1, 0}},
		"blocked on back-off":   {orchestrator.SagaQuery{BlockedOn: saga.CauseBackoff}, nil},
		"participant, held":     {orchestrator.SagaQuery{Participant: "stock"}, []int{2}},
		"participant, asked":    {orchestrator.SagaQuery{Participant: "bank"}, []int{0}},
		"participant, idle":     {orchestrator.SagaQuery{Participant: "ban"}, nil},
		"key":                   {orchestrator.SagaQuery{Key: "A-1"}, []int{3, 0}},
		"label":                 {orchestrator.SagaQuery{Labels: map[string]string{"region": "eu"}}, []int{1}},
		"labels":                {orchestrator.SagaQuery{Labels: map[string]string{"region": "eu", "tier": "gold"}}, []int{1}},
		"label, other value":    {orchestrator.SagaQuery{Labels: map[string]string{"tier": "silver"}}, nil},
		"created after":         {orchestrator.SagaQuery{CreatedAfter: start.Add(time.Minute)}, []int{3, 2}},
		"created before":        {orchestrator.SagaQuery{CreatedBefore: start.Add(time.Minute)}, []int{0}},
		"created between":       {orchestrator.SagaQuery{CreatedAfter: start, CreatedBefore: start.Add(3 * time.Minute)}, []int{2, 1}},
		"all filters at once":   {orchestrator.SagaQuery{Saga: "order", Statuses: []saga.Status{saga.Running}, Key: "A-1", BlockedOn: saga.CauseUnpublished, CreatedBefore: start.Add(time.Second)}, []int{0}},
		"ids":                   {orchestrator.SagaQuery{IDs: []saga.ID{sagas[3].ID, sagas[1].ID, s.id(1)}}, []int{3, 1}},
		"ids and status":        {orchestrator.SagaQuery{IDs: []saga.ID{sagas[3].ID, sagas[1].ID}, Statuses: []saga.Status{saga.Running}}, []int{1}},
		"filters that disagree": {orchestrator.SagaQuery{Saga: "refund", Key: "A-1"}, nil},
	}
	for name, c := range cases {
		var want []saga.ID
		for _, i := range c.want {
			want = append(want, sagas[i].ID)
		}
		c.query.Count = true
		page := s.list(c.query)
		require.Equal(s, want, ids(page), name)
		require.Equal(s, int64(len(want)), page.Count, name)
		require.True(s, page.Exact, name)
		require.True(s, page.Next.IsZero(), name)
	}
}

func sagasPages(s *suite) {
	var oldest []saga.ID
	for range 5 {
		in := s.instance(func(in *saga.Instance) { in.Key = "A-1" })
		s.store(in)
		oldest = append(oldest, in.ID)
	}
	newest := slices.Clone(oldest)
	slices.Reverse(newest)
	for _, q := range []orchestrator.SagaQuery{{}, {Key: "A-1"}} {
		q.Limit, q.Count = 2, true
		require.Equal(s, newest, s.allPages(q))
		for most, want := range map[int64]int64{4: 4, 5: 5, 6: 5} {
			capped := q
			capped.CountMost = most
			page := s.list(capped)
			require.Equal(s, want, page.Count)
			require.Equal(s, most >= 5, page.Exact, "counted to %d of 5", most)
		}
		q.OldestFirst = true
		require.Equal(s, oldest, s.allPages(q))
	}
	page := s.list(orchestrator.SagaQuery{Limit: 5})
	require.True(s, page.Next.IsZero(), "a full page may be the last")
	require.Zero(s, page.Count, "not asked for")
}

// allPages are the ids on all pages of a list of five.
func (s *suite) allPages(q orchestrator.SagaQuery) (got []saga.ID) {
	s.Helper()
	for range 10 {
		page := s.list(q)
		require.Equal(s, int64(5), page.Count, "the count is of all pages")
		got = append(got, ids(page)...)
		if page.Next.IsZero() {
			break
		}
		q.Past = page.Next
	}
	return got
}

// A command is published without its saga's row being written; the filter must follow all the same.
func sagasBlockedOnFollowsTheOutbox(s *suite) {
	in := s.instance()
	b := s.store(in)
	require.Len(s, s.list(orchestrator.SagaQuery{BlockedOn: saga.CauseUnpublished}).Sagas, 1)
	require.Empty(s, s.list(orchestrator.SagaQuery{BlockedOn: saga.CauseReply}).Sagas)
	require.NoError(s, s.Store.Settle(s.ctx, []orchestrator.Settled{{Batch: b.ID, Acked: acked(s.now(), 0)}}))
	require.Empty(s, s.list(orchestrator.SagaQuery{BlockedOn: saga.CauseUnpublished}).Sagas)
	require.Len(s, s.list(orchestrator.SagaQuery{BlockedOn: saga.CauseReply}).Sagas, 1)
}

// S23.
func sagasTenantsDoNotMeet(s *suite) {
	mine := s.instance(func(in *saga.Instance) { in.Key = "A-1" })
	theirs := s.instance(func(in *saga.Instance) { in.Tenant, in.Key = "other", "A-1" })
	s.store(mine, theirs)
	require.Equal(s, []saga.ID{mine.ID}, ids(s.list(orchestrator.SagaQuery{Key: "A-1"})))
	require.Equal(s, []saga.ID{theirs.ID}, ids(s.list(orchestrator.SagaQuery{Tenant: "other"})))
	_, err := s.Store.Saga(s.ctx, tenant, theirs.ID)
	require.ErrorIs(s, err, orchestrator.ErrNotFound)
	view, err := s.Store.Saga(s.ctx, "other", theirs.ID)
	require.NoError(s, err)
	require.Equal(s, theirs.ID, view.Instance.ID)
	_, err = s.Store.Saga(s.ctx, tenant, s.id(1))
	require.ErrorIs(s, err, orchestrator.ErrNotFound)
	stats, err := s.Store.Stats(s.ctx, "other")
	require.NoError(s, err)
	require.Equal(s, int64(1), stats.Live)
}

func revisionsOfThoseThatExist(s *suite) {
	a, b := s.instance(), s.instance()
	s.store(a, b)
	require.NoError(s, s.commit(s.batch(next(b, 1))))
	got, err := s.Store.Revisions(s.ctx, []saga.ID{b.ID, s.id(1), a.ID})
	require.NoError(s, err)
	require.Equal(s, map[saga.ID]int64{a.ID: 1, b.ID: 2}, got)
	got, err = s.Store.Revisions(s.ctx, nil)
	require.NoError(s, err)
	require.Empty(s, got)
}

func statsCountLiveSagas(s *suite) {
	stuck := s.instance(func(in *saga.Instance) {
		in.Saga, in.Status = "refund", saga.Suspended
		in.Steps[0].Status = saga.Stuck
		in.Attention = []saga.Attention{{Reason: saga.AttentionRejected}}
	})
	b := s.batch(s.instance(), s.instance(ended), stuck)
	b.Writes[2].Blocked = []saga.BlockedOn{{Cause: saga.CauseAttention}, {Cause: saga.CauseBackoff}, {Cause: saga.CauseBackoff}}
	b.Writes[0].Blocked[0].Participant = "stock"
	b.Writes[2].Blocked[0].Participant, b.Writes[2].Blocked[1].Participant, b.Writes[2].Blocked[2].Participant = "bank", "stock", "stock"
	b.Quarantine = []orchestrator.Quarantined{s.poison(tenant, 1)}
	require.NoError(s, s.commit(b))
	stats, err := s.Store.Stats(s.ctx, tenant)
	require.NoError(s, err)
	equal(s, orchestrator.Stats{
		Live:          2,
		ByStatus:      map[saga.Status]int64{saga.Running: 1, saga.Suspended: 1},
		ByCause:       map[saga.Cause]int64{saga.CauseUnpublished: 1, saga.CauseAttention: 1, saga.CauseBackoff: 1},
		ByDefinition:  map[string]int64{"order": 1, "refund": 1},
		ByParticipant: map[string]orchestrator.ParticipantStats{"stock": {InFlight: 1, BackingOff: 1}, "bank": {Stuck: 1}},
		WithAttention: 1,
		Quarantined:   1,
	}, stats)
}
