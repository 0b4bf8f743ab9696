package memory

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/internal/stored"
	"github.com/skaldhq/skald/orchestrator/saga"
)

var _ orchestrator.Holds = (*Store)(nil)

// PutHold implements orchestrator.Holds.
func (s *Store) PutHold(_ context.Context, h orchestrator.Hold, audit orchestrator.Audit) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h.Kind = orchestrator.HoldOperator
	h.From = s.nowLocked()
	return s.putHoldLocked(h, audit)
}

func (s *Store) putHoldLocked(h orchestrator.Hold, audit orchestrator.Audit) (int64, error) {
	for _, text := range []string{h.Tenant, string(h.Scope), h.Name, h.Reason, h.By} {
		if !stored.ValidText(text) {
			return 0, fmt.Errorf("%w: hold: %q is no text", orchestrator.ErrData, text)
		}
	}
	a, err := prepareAudit(audit, h.From)
	if err != nil {
		return 0, err
	}
	h.To = time.Time{}
	s.holds = append(s.holds, h)
	s.chainLocked(a)
	return int64(len(s.holds)), nil
}

// EndHold implements orchestrator.Holds.
func (s *Store) EndHold(_ context.Context, tenant string, id int64, spread time.Duration, audit orchestrator.Audit) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	h, now := s.holdLocked(tenant, id), s.nowLocked()
	releasing := h != nil && !h.To.IsZero() && spread == 0 && h.State(now) == orchestrator.HoldReleasing
	if h == nil || !h.To.IsZero() && !releasing {
		return orchestrator.ErrNotFound
	}
	a, err := prepareAudit(audit, now)
	if err != nil {
		return err
	}
	if releasing {
		h.RestAt = now
	} else {
		h.To, h.Spread, h.EndedBy = now, spread.Truncate(time.Microsecond), audit.Actor
	}
	s.chainLocked(a)
	return nil
}

// Held implements orchestrator.Holds.
func (s *Store) Held(_ context.Context, tenant, participant string, after saga.ID, limit int) ([]saga.ID, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.liveLocked(after, limit, func(row *sagaRow) bool {
		return (tenant == "" || row.tenant == tenant) && slices.Contains(row.causes, string(saga.CauseHold)) &&
			(participant == "" || slices.Contains(row.waits, string(saga.CauseHold)+" "+participant))
	}), nil
}

// Holds implements orchestrator.Holds.
func (s *Store) Holds(_ context.Context, tenant string) ([]orchestrator.HoldRow, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var holds []orchestrator.HoldRow
	now := s.nowLocked()
	for i, h := range s.holds {
		if h.Tenant == tenant && (h.To.IsZero() || h.State(now) != orchestrator.HoldEnded) {
			holds = append(holds, orchestrator.HoldRow{ID: int64(i) + 1, At: now, Hold: h})
		}
	}
	return holds, nil
}

// Hold implements orchestrator.Holds.
func (s *Store) Hold(_ context.Context, tenant string, id int64) (orchestrator.HoldRow, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.holdLocked(tenant, id)
	if h == nil {
		return orchestrator.HoldRow{}, orchestrator.ErrNotFound
	}
	return orchestrator.HoldRow{ID: id, At: s.nowLocked(), Hold: *h}, nil
}

// Trip implements orchestrator.Holds.
func (s *Store) Trip(_ context.Context, row orchestrator.HoldRow, pause time.Duration, audit orchestrator.Audit) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.nowLocked()
	if row.ID == 0 {
		if slices.ContainsFunc(s.holds, func(h orchestrator.Hold) bool {
			return h.Kind == orchestrator.HoldBreaker && h.Tenant == row.Tenant && h.Name == row.Name && h.To.IsZero()
		}) {
			return false, nil
		}
		_, err := s.putHoldLocked(orchestrator.Hold{
			Tenant: row.Tenant, From: now, Scope: orchestrator.HoldParticipant, Name: row.Name, Reason: row.Reason, Kind: orchestrator.HoldBreaker, By: audit.Actor,
			TryFrom: now.Add(pause.Truncate(time.Microsecond)), TryFor: row.TryFor.Truncate(time.Microsecond), Trips: row.Trips,
		}, audit)
		return err == nil, err
	}
	h := s.holdLocked(row.Tenant, row.ID)
	if h == nil || h.Kind != orchestrator.HoldBreaker || h.Trips != row.Trips || h.State(now) != orchestrator.HoldTrying {
		return false, nil
	}
	a, err := prepareAudit(audit, now)
	if err != nil {
		return false, err
	}
	h.TryFrom, h.TryFor = now.Add(pause.Truncate(time.Microsecond)), row.TryFor.Truncate(time.Microsecond)
	h.Trips, h.Reason, h.QuietAt = h.Trips+1, row.Reason, time.Time{}
	s.chainLocked(a)
	return true, nil
}

// NoteQuiet implements orchestrator.Holds.
func (s *Store) NoteQuiet(_ context.Context, tenant string, id int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h := s.holdLocked(tenant, id); h != nil && h.QuietAt.IsZero() {
		h.QuietAt = s.nowLocked()
	}
	return nil
}

func (s *Store) holdLocked(tenant string, id int64) *orchestrator.Hold {
	if id < 1 || id > int64(len(s.holds)) || s.holds[id-1].Tenant != tenant {
		return nil
	}
	return &s.holds[id-1]
}

// holdsLocked are those in force and those that ended within 30 days.
func (s *Store) holdsLocked(now time.Time) []orchestrator.Hold {
	return slices.DeleteFunc(slices.Clone(s.holds), func(h orchestrator.Hold) bool {
		return !h.To.IsZero() && h.To.Add(h.Spread).Before(now.Add(-30*24*time.Hour))
	})
}
