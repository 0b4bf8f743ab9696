package memory

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/internal/stored"
	"github.com/skaldhq/skald/orchestrator/saga"
)

var _ orchestrator.Limits = (*Store)(nil)

// limits are the limits of all tenants, and who looked at them when.
type limits struct {
	all    []orchestrator.Limit // by tenant, scope and name
	looked map[string]time.Time
}

func (l *limits) find(tenant string, scope orchestrator.HoldScope, name string) (int, bool) {
	return slices.BinarySearchFunc(l.all, 0, func(x orchestrator.Limit, _ int) int {
		return cmp.Or(cmp.Compare(x.Tenant, tenant), cmp.Compare(x.Scope, scope), cmp.Compare(x.Name, name))
	})
}

// PutLimit implements orchestrator.Limits.
func (s *Store) PutLimit(_ context.Context, l orchestrator.Limit, audit orchestrator.Audit) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, text := range []string{l.Tenant, l.Name, l.Reason, l.By} {
		if !stored.ValidText(text) {
			return fmt.Errorf("%w: limit: %q is no text", orchestrator.ErrData, text)
		}
	}
	l.At = s.nowLocked()
	a, err := prepareAudit(audit, l.At)
	if err != nil {
		return err
	}
	i, found := s.limits.find(l.Tenant, l.Scope, l.Name)
	if found {
		s.limits.all[i] = l
	} else {
		s.limits.all = slices.Insert(s.limits.all, i, l)
	}
	s.chainLocked(a)
	return nil
}

// RemoveLimit implements orchestrator.Limits.
func (s *Store) RemoveLimit(_ context.Context, tenant string, scope orchestrator.HoldScope, name string, audit orchestrator.Audit) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	i, found := s.limits.find(tenant, scope, name)
	if !found {
		return orchestrator.ErrNotFound
	}
	a, err := prepareAudit(audit, s.nowLocked())
	if err != nil {
		return err
	}
	s.limits.all = slices.Delete(s.limits.all, i, i+1)
	s.chainLocked(a)
	return nil
}

// Limits implements orchestrator.Limits.
func (s *Store) Limits(_ context.Context, tenant string) ([]orchestrator.LimitUse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(s.limitsLocked(), func(u orchestrator.LimitUse) bool { return u.Tenant != tenant }), nil
}

// LookAtLimits implements orchestrator.Limits.
func (s *Store) LookAtLimits(_ context.Context, replica string) (orchestrator.LimitLook, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	look := orchestrator.LimitLook{Uses: s.limitsLocked()}
	if len(look.Uses) == 0 {
		return look, nil
	}
	if s.limits.looked == nil {
		s.limits.looked = map[string]time.Time{}
	}
	now := s.nowLocked()
	s.limits.looked[replica] = now
	for _, at := range s.limits.looked {
		if at.After(now.Add(-orchestrator.LimitReplicas)) {
			look.Replicas++
		}
	}
	return look, nil
}

func (s *Store) limitsLocked() []orchestrator.LimitUse {
	if len(s.limits.all) == 0 {
		return nil
	}
	uses := make([]orchestrator.LimitUse, len(s.limits.all))
	for i, l := range s.limits.all {
		uses[i].Limit = l
	}
	for _, row := range s.sagas {
		if row.wakeAt.IsZero() {
			continue
		}
		for i := range uses {
			if uses[i].Tenant != row.tenant {
				continue
			}
			uses[i].Add(row.saga, "", 1)
			for _, w := range row.waits {
				uses[i].Add(row.saga, w, 1)
			}
		}
	}
	return uses
}

// Limited implements orchestrator.Limits.
func (s *Store) Limited(_ context.Context, tenant string, scope orchestrator.HoldScope, name string, after saga.ID, limit int) ([]saga.ID, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.liveLocked(after, limit, func(row *sagaRow) bool {
		return row.tenant == tenant && (scope != orchestrator.HoldSagaType || row.saga == name) && slices.ContainsFunc(row.waits, func(w string) bool {
			cause, participant, _ := strings.Cut(w, " ")
			return cause == orchestrator.WaitsLimit && (scope == orchestrator.HoldSagaType || participant == name)
		})
	}), nil
}

// liveLocked lists live sagas by id, after one.
func (s *Store) liveLocked(after saga.ID, limit int, wanted func(*sagaRow) bool) []saga.ID {
	var ids []saga.ID
	for id, row := range s.sagas {
		if !row.wakeAt.IsZero() && stored.CompareIDs(id, after) > 0 && wanted(row) {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, stored.CompareIDs)
	return ids[:min(limit, len(ids))]
}
