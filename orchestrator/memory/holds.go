package memory

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/internal/stored"
)

// PutHold sets a hold from now on, in one transaction with its audit row, and answers its id.
func (s *Store) PutHold(_ context.Context, h orchestrator.Hold, audit orchestrator.Audit) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, text := range []string{h.Tenant, string(h.Scope), h.Name, h.Reason} {
		if !stored.ValidText(text) {
			return 0, fmt.Errorf("%w: hold: %q is no text", orchestrator.ErrData, text)
		}
	}
	a, err := prepareAudit(audit, s.nowLocked())
	if err != nil {
		return 0, err
	}
	h.From, h.To = s.nowLocked(), time.Time{}
	s.holds = append(s.holds, h)
	s.chainLocked(a)
	return int64(len(s.holds)), nil
}

// EndHold ends a hold now, in one transaction with its audit row; ErrNotFound where the tenant has none of that id in force.
func (s *Store) EndHold(_ context.Context, tenant string, id int64, audit orchestrator.Audit) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id < 1 || id > int64(len(s.holds)) || s.holds[id-1].Tenant != tenant || !s.holds[id-1].To.IsZero() {
		return orchestrator.ErrNotFound
	}
	a, err := prepareAudit(audit, s.nowLocked())
	if err != nil {
		return err
	}
	s.holds[id-1].To = s.nowLocked()
	s.chainLocked(a)
	return nil
}

// Holds lists the holds that the tenant set and that are in force, oldest first.
func (s *Store) Holds(_ context.Context, tenant string) ([]orchestrator.HoldRow, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var holds []orchestrator.HoldRow
	for i, h := range s.holds {
		if h.Tenant == tenant && h.To.IsZero() {
			holds = append(holds, orchestrator.HoldRow{ID: int64(i) + 1, Hold: h})
		}
	}
	return holds, nil
}

// holdsLocked are those in force and those that ended within 30 days.
func (s *Store) holdsLocked(now time.Time) []orchestrator.Hold {
	return slices.DeleteFunc(slices.Clone(s.holds), func(h orchestrator.Hold) bool {
		return !h.To.IsZero() && h.To.Before(now.Add(-30*24*time.Hour))
	})
}
