package stored

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"

	"github.com/skaldhq/skald/orchestrator"
)

// Formats of an audit entry.
//
//	1 (2026-11): JSON of the audit with `at`.
const auditFormat = 1

type auditEntry struct {
	At time.Time `json:"at"`
	orchestrator.Audit
}

// EncodeAudit writes what the chain's hash covers.
func EncodeAudit(a orchestrator.Audit, at time.Time) ([]byte, error) {
	b, err := json.Marshal(auditEntry{At: at.UTC().Truncate(time.Microsecond), Audit: a})
	if err != nil {
		return nil, fmt.Errorf("encode audit entry: %w", err)
	}
	return append([]byte{auditFormat}, b...), nil
}

// DecodeAudit reads what EncodeAudit wrote.
func DecodeAudit(b []byte) (orchestrator.Audit, time.Time, error) {
	r := newReader("audit entry", b, auditFormat)
	if r.err != nil {
		return orchestrator.Audit{}, time.Time{}, r.err
	}
	var e auditEntry
	if err := json.Unmarshal(r.b, &e); err != nil {
		return orchestrator.Audit{}, time.Time{}, fmt.Errorf("%w: audit entry: %w", ErrFormat, err)
	}
	return e.Audit, e.At, nil
}

// ChainAudit is the hash of an entry: SHA-256 over the hash of the tenant's entry before it and the entry's bytes. The hash
// before the first is zero.
func ChainAudit(before [32]byte, entry []byte) [32]byte {
	return sha256.Sum256(append(before[:], entry...))
}

// ChainError says where the chain of a tenant's entries does not fit.
type ChainError struct {
	Tenant string
	Entry  int64 // the first that does not fit
	What   string
}

func (e *ChainError) Error() string { return fmt.Sprintf("audit of %s: %s", e.Tenant, e.What) }

// AuditEntry is one operator action as it is stored.
type AuditEntry = orchestrator.AuditEntry
