package memory

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/internal/stored"
)

var _ orchestrator.Access = (*Store)(nil)

// access are API keys and sessions.
type access struct {
	keys     []orchestrator.APIKey
	sessions map[[32]byte]orchestrator.Session
}

func (a *access) find(id string) int {
	return slices.IndexFunc(a.keys, func(k orchestrator.APIKey) bool { return k.ID == id })
}

// CreateAPIKey implements orchestrator.APIKeys.
func (s *Store) CreateAPIKey(_ context.Context, key orchestrator.APIKey, audit orchestrator.Audit) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, text := range append([]string{key.ID, key.Tenant, key.Name, key.CreatedBy}, key.Roles...) {
		if !stored.ValidText(text) {
			return fmt.Errorf("%w: API key: %q is no text", orchestrator.ErrData, text)
		}
	}
	for i := range s.access.keys {
		k := &s.access.keys[i]
		if k.ID == key.ID || k.Tenant == key.Tenant && k.Name == key.Name && k.RevokedAt.IsZero() {
			return orchestrator.ErrConflict
		}
	}
	return s.auditedLocked(audit, func(now time.Time) {
		key.Roles, key.CreatedAt = slices.Clone(key.Roles), now
		s.access.keys = append(s.access.keys, key)
	})
}

// auditedLocked makes a change and its entry in the audit, both or none.
func (s *Store) auditedLocked(audit orchestrator.Audit, change func(now time.Time)) error {
	now := s.nowLocked()
	a, err := prepareAudit(audit, now)
	if err != nil {
		return err
	}
	change(now)
	s.chainLocked(a)
	return nil
}

// FindAPIKey implements orchestrator.APIKeys.
func (s *Store) FindAPIKey(_ context.Context, id string) (orchestrator.APIKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.access.find(id)
	if i < 0 {
		return orchestrator.APIKey{}, orchestrator.ErrNotFound
	}
	return s.access.keys[i], nil
}

// APIKeys implements orchestrator.APIKeys.
func (s *Store) APIKeys(_ context.Context, tenant string) ([]orchestrator.APIKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []orchestrator.APIKey
	for i := range s.access.keys {
		if tenant == "" || s.access.keys[i].Tenant == tenant {
			out = append(out, s.access.keys[i])
		}
	}
	slices.SortFunc(out, func(a, b orchestrator.APIKey) int {
		return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.Name, b.Name), a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return out, nil
}

// RotateAPIKey implements orchestrator.APIKeys.
func (s *Store) RotateAPIKey(_ context.Context, tenant, id string, secret [32]byte, oldUntil time.Time, audit orchestrator.Audit) error {
	return s.changeAPIKey(tenant, id, audit, func(key *orchestrator.APIKey, _ time.Time) {
		key.Secret, key.OldSecret, key.OldUntil = secret, key.Secret, oldUntil
	})
}

// RevokeAPIKey implements orchestrator.APIKeys.
func (s *Store) RevokeAPIKey(_ context.Context, tenant, id string, audit orchestrator.Audit) error {
	return s.changeAPIKey(tenant, id, audit, func(key *orchestrator.APIKey, now time.Time) { key.RevokedAt = now })
}

func (s *Store) changeAPIKey(tenant, id string, audit orchestrator.Audit, change func(*orchestrator.APIKey, time.Time)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.access.find(id)
	if i < 0 || s.access.keys[i].Tenant != tenant || !s.access.keys[i].RevokedAt.IsZero() {
		return orchestrator.ErrNotFound
	}
	return s.auditedLocked(audit, func(now time.Time) { change(&s.access.keys[i], now) })
}

// NoteAPIKeyUse implements orchestrator.APIKeys.
func (s *Store) NoteAPIKeyUse(_ context.Context, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.nowLocked()
	if i := s.access.find(id); i >= 0 && s.access.keys[i].UsedAt.Before(now.Add(-time.Minute)) {
		s.access.keys[i].UsedAt = now
	}
	return nil
}

// PutSession implements orchestrator.Sessions.
func (s *Store) PutSession(_ context.Context, session orchestrator.Session, audit orchestrator.Audit) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, taken := s.access.sessions[session.ID]; taken {
		return orchestrator.ErrConflict
	}
	if session.IdleUntil.After(session.EndsAt) {
		return fmt.Errorf("%w: a session is idle for longer than it lives", orchestrator.ErrData)
	}
	return s.auditedLocked(audit, func(time.Time) {
		if s.access.sessions == nil {
			s.access.sessions = map[[32]byte]orchestrator.Session{}
		}
		session.Data = slices.Clone(session.Data)
		s.access.sessions[session.ID] = session
	})
}

// FindSession implements orchestrator.Sessions.
func (s *Store) FindSession(_ context.Context, id [32]byte) (orchestrator.Session, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	session, ok := s.access.sessions[id]
	if !ok || !session.IdleUntil.After(s.nowLocked()) {
		return orchestrator.Session{ID: id}, orchestrator.ErrNotFound
	}
	return session, nil
}

// TouchSession implements orchestrator.Sessions.
func (s *Store) TouchSession(_ context.Context, id [32]byte, idleUntil time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	session, ok := s.access.sessions[id]
	if ok && session.IdleUntil.After(s.nowLocked()) {
		session.IdleUntil = idleUntil
		if idleUntil.After(session.EndsAt) {
			session.IdleUntil = session.EndsAt
		}
		s.access.sessions[id] = session
	}
	return nil
}

// EndSession implements orchestrator.Sessions.
func (s *Store) EndSession(_ context.Context, id [32]byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.access.sessions, id)
	return nil
}

// SweepSessions implements orchestrator.Sessions.
func (s *Store) SweepSessions(context.Context) (gone int64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.nowLocked()
	for id, session := range s.access.sessions {
		if !session.IdleUntil.After(now) {
			delete(s.access.sessions, id)
			gone++
		}
	}
	return gone, nil
}
