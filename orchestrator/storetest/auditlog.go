package storetest

import (
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// auditFilters asks for operator actions by everything that they can be asked for by.
func auditFilters(s *suite) {
	one, two := s.instance().ID, s.instance().ID
	entry := func(actor, action string, id saga.ID, target string) orchestrator.Audit {
		a := audit(tenant, action)
		a.Actor, a.Saga, a.Target, a.From = actor, id, target, "192.0.2.7"
		return a
	}
	for _, a := range []orchestrator.Audit{
		entry("ada", "saga.cancel", one, ""),       // 1
		entry("bob", "saga.retry", one, "reserve"), // 2
		entry("ada", "hold.set", saga.ID{}, "all"), // 3
		entry("bob", "saga.retry", two, "reserve"), // 4
		entry("ada", "sagas", saga.ID{}, ""),       // 5: not of the group saga
	} {
		b := orchestrator.Batch{ID: s.batchID(), Audit: []orchestrator.Audit{a}}
		require.NoError(s, s.commit(b))
	}
	other := orchestrator.Batch{ID: s.batchID(), Audit: []orchestrator.Audit{audit("other", "saga.cancel")}}
	require.NoError(s, s.commit(other))
	list := func(q orchestrator.AuditQuery) []orchestrator.AuditEntry {
		q.Tenant = tenant
		if q.Limit == 0 {
			q.Limit = 10
		}
		entries, err := s.Store.AuditEntries(s.ctx, q)
		require.NoError(s, err)
		return entries
	}
	seqs := func(q orchestrator.AuditQuery) []int64 {
		var out []int64
		for _, e := range list(q) {
			out = append(out, e.Seq)
		}
		return out
	}
	all := list(orchestrator.AuditQuery{})
	require.Len(s, all, 5)
	equal(s, entry("bob", "saga.retry", two, "reserve"), all[1].Audit)
	for name, c := range map[string]struct {
		q    orchestrator.AuditQuery
		want []int64
	}{
		"actor":        {orchestrator.AuditQuery{Actor: "ada"}, []int64{5, 3, 1}},
		"action":       {orchestrator.AuditQuery{Action: "saga.retry"}, []int64{4, 2}},
		"group":        {orchestrator.AuditQuery{Action: "saga"}, []int64{4, 2, 1}},
		"saga":         {orchestrator.AuditQuery{Saga: one}, []int64{2, 1}},
		"target":       {orchestrator.AuditQuery{Target: "reserve"}, []int64{4, 2}},
		"several":      {orchestrator.AuditQuery{Actor: "bob", Saga: two, Target: "reserve"}, []int64{4}},
		"from":         {orchestrator.AuditQuery{From: all[1].At}, []int64{5, 4}},
		"to":           {orchestrator.AuditQuery{To: all[3].At}, []int64{1}},
		"page":         {orchestrator.AuditQuery{Limit: 2}, []int64{5, 4}},
		"next page":    {orchestrator.AuditQuery{Limit: 2, Before: 4}, []int64{3, 2}},
		"filtered":     {orchestrator.AuditQuery{Actor: "ada", Limit: 1, Before: 5}, []int64{3}},
		"nothing":      {orchestrator.AuditQuery{Actor: "eve"}, nil},
		"the future":   {orchestrator.AuditQuery{From: time.Now().Add(time.Hour)}, nil},
		"another saga": {orchestrator.AuditQuery{Saga: s.instance().ID}, nil},
	} {
		require.Equal(s, c.want, seqs(c.q), name)
	}
}
