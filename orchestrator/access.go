package orchestrator

import (
	"context"
	"time"
)

// Access is what a store keeps of those who may ask: API keys and sessions. The engine itself asks for neither. It is safe for
// concurrent use.
type Access interface {
	APIKeys
	Sessions
}

// APIKeys is a store of API keys. Secrets are never in it, only their SHA-256.
type APIKeys interface {
	// CreateAPIKey stores a key with its audit; CreatedAt is the store's. ErrConflict: a key of this tenant that is not revoked has the name, or
	// any key the id.
	CreateAPIKey(ctx context.Context, key APIKey, audit Audit) error
	// FindAPIKey is the key with the id, whatever became of it; ErrNotFound where there is none.
	FindAPIKey(ctx context.Context, id string) (APIKey, error)
	// APIKeys lists the keys of a tenant by name, and those of a name by age; revoked ones too. An empty tenant: of all, by tenant.
	APIKeys(ctx context.Context, tenant string) ([]APIKey, error)
	// RotateAPIKey gives a key another secret; the one before it is good until then. One older still is good no longer. ErrNotFound: the
	// tenant has no such key, or it is revoked.
	RotateAPIKey(ctx context.Context, tenant, id string, secret [32]byte, oldUntil time.Time, audit Audit) error
	// RevokeAPIKey ends a key for good. ErrNotFound as above: revoking twice is refused.
	RevokeAPIKey(ctx context.Context, tenant, id string, audit Audit) error
	// NoteAPIKeyUse notes that a key was used now, unless it was noted within the last minute. Unknown ids are ignored.
	NoteAPIKeyUse(ctx context.Context, id string) error
}

// APIKey is a key as it is stored.
type APIKey struct {
	ID        string // 16 hex digits; stands in the key itself
	Tenant    string
	Name      string // of the tenant's keys that are not revoked, only one has it
	Roles     []string
	Secret    [32]byte  // SHA-256 of the secret
	OldSecret [32]byte  // of the one before; good until OldUntil
	OldUntil  time.Time // zero: there is none
	CreatedAt time.Time
	CreatedBy string
	ExpiresAt time.Time // zero: never
	RevokedAt time.Time // zero: it was not
	UsedAt    time.Time // to the minute; zero: never
}

// Sessions is a store of those who are signed in.
type Sessions interface {
	// PutSession stores a new session with its audit. ErrConflict: there is one with the id.
	PutSession(ctx context.Context, session Session, audit Audit) error
	// FindSession is the session with the id; ErrNotFound where there is none, or it has ended.
	FindSession(ctx context.Context, id [32]byte) (Session, error)
	// TouchSession moves IdleUntil on, to EndsAt at most. A session that is not there stays away: one that was ended meanwhile
	// does not come back.
	TouchSession(ctx context.Context, id [32]byte, idleUntil time.Time) error
	// EndSession takes a session away; doing so twice is harmless.
	EndSession(ctx context.Context, id [32]byte) error
	// SweepSessions takes away what has ended, and says how many.
	SweepSessions(ctx context.Context) (int64, error)
}

// Session is somebody who is signed in.
type Session struct {
	ID        [32]byte // SHA-256 of what the browser has
	Tenant    string
	Data      []byte // who it is, as whoever signed them in writes it
	IdleUntil time.Time
	EndsAt    time.Time // IdleUntil is never after it
}

// States of an API key.
const (
	APIKeyGood    = "good"
	APIKeyExpired = "expired"
	APIKeyRevoked = "revoked"
)

// State is what a key is good for at that time.
func (k *APIKey) State(at time.Time) string {
	switch {
	case !k.RevokedAt.IsZero():
		return APIKeyRevoked
	case !k.ExpiresAt.IsZero() && !at.Before(k.ExpiresAt):
		return APIKeyExpired
	}
	return APIKeyGood
}
