package memory

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/internal/stored"
)

type auditRow struct {
	tenant string
	at     time.Time
	entry  []byte
	hash   [32]byte
}

func prepareAudit(a orchestrator.Audit, at time.Time) (auditRow, error) {
	for _, s := range []string{a.Tenant, a.Actor, a.Action, a.Target} {
		if !stored.ValidText(s) {
			return auditRow{}, fmt.Errorf("%w: audit: %q is no text", orchestrator.ErrData, s)
		}
	}
	entry, err := stored.EncodeAudit(a, at)
	if err != nil {
		return auditRow{}, fmt.Errorf("%w: %w", orchestrator.ErrData, err)
	}
	return auditRow{tenant: a.Tenant, at: at, entry: entry}, nil
}

func (s *Store) chainLocked(a auditRow) {
	chain := s.audit[a.tenant]
	var before [32]byte
	if len(chain) > 0 {
		before = chain[len(chain)-1].hash
	}
	a.hash = stored.ChainAudit(before, a.entry)
	s.audit[a.tenant] = append(chain, a)
}

// Audit lists a tenant's operator actions, newest first, below the sequence number before; 0 starts at the newest.
func (s *Store) Audit(_ context.Context, tenant string, before int64, limit int) ([]stored.AuditEntry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	chain := s.audit[tenant]
	if before <= 0 || before > int64(len(chain)) {
		before = int64(len(chain)) + 1
	}
	var entries []stored.AuditEntry
	for seq := before - 1; seq >= 1 && len(entries) < limit; seq-- {
		a, at, err := stored.DecodeAudit(chain[seq-1].entry)
		if err != nil {
			return nil, err
		}
		entries = append(entries, stored.AuditEntry{Seq: seq, At: at, Audit: a, Hash: chain[seq-1].hash})
	}
	return entries, nil
}

// AuditEntries implements orchestrator.AuditLog.
func (s *Store) AuditEntries(_ context.Context, q orchestrator.AuditQuery) ([]orchestrator.AuditEntry, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	chain := s.audit[q.Tenant]
	if q.Before <= 0 || q.Before > int64(len(chain)) {
		q.Before = int64(len(chain)) + 1
	}
	var entries []orchestrator.AuditEntry
	for seq := q.Before - 1; seq >= 1 && len(entries) < q.Limit; seq-- {
		a, at, err := stored.DecodeAudit(chain[seq-1].entry)
		if err != nil {
			return nil, err
		}
		if (q.Actor == "" || a.Actor == q.Actor) && (q.Action == "" || a.Action == q.Action || strings.HasPrefix(a.Action, q.Action+".")) &&
			(q.Saga.IsZero() || a.Saga == q.Saga) && (q.Target == "" || a.Target == q.Target) &&
			!at.Before(q.From) && (q.To.IsZero() || at.Before(q.To)) {
			entries = append(entries, orchestrator.AuditEntry{Seq: seq, At: at, Audit: a, Hash: chain[seq-1].hash})
		}
	}
	return entries, nil
}

// VerifyAudit recomputes the hashes of a tenant's entries; a *stored.ChainError names the first that does not fit.
func (s *Store) VerifyAudit(_ context.Context, tenant string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var hash [32]byte
	for i, a := range s.audit[tenant] {
		if hash = stored.ChainAudit(hash, a.entry); hash != a.hash {
			return &stored.ChainError{Tenant: tenant, Entry: int64(i) + 1, What: fmt.Sprintf("entry %d does not fit the chain", i+1)}
		}
	}
	return nil
}
