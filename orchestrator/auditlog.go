package orchestrator

import (
	"context"
	"time"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// AuditLog is a store's record of operator actions. It is safe for concurrent use.
type AuditLog interface {
	// AuditEntries lists a tenant's operator actions, newest first.
	AuditEntries(ctx context.Context, q AuditQuery) ([]AuditEntry, error)
}

// AuditQuery filters the record of operator actions; zero fields do not filter.
type AuditQuery struct {
	Tenant string
	Actor  string
	Action string // such as saga.cancel, or all of a group: saga
	Saga   saga.ID
	Target string
	From   time.Time // inclusive
	To     time.Time // exclusive
	Before int64     // a sequence number, exclusive; 0: from the newest
	Limit  int       // 1..500
}

// AuditEntry is one operator action as it is stored. Seq counts a tenant's entries from 1 without holes. Hash is SHA-256 over the
// hash of the entry before it and the entry's bytes.
type AuditEntry struct {
	Seq int64
	At  time.Time
	Audit
	Hash [32]byte
}

type remoteKey struct{}

// WithRemote says from where a request came, for the audit of what the engine is asked to do under the context: an address, or
// another name of a place.
func WithRemote(ctx context.Context, from string) context.Context {
	return context.WithValue(ctx, remoteKey{}, from)
}

// RemoteOf is what WithRemote said; empty: nothing.
func RemoteOf(ctx context.Context) string {
	from, _ := ctx.Value(remoteKey{}).(string)
	return from
}
