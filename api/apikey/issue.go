package apikey

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/skaldhq/skald/orchestrator"
)

// ErrNameTaken says that another key of the tenant, which is not revoked, has the name.
var ErrNameTaken = errors.New("a key of this name is in use; revoke it first, or rotate it")

// By is who changes keys, for the audit.
type By struct {
	Actor     string
	From      string // where the request came from
	RequestID string // empty: none
}

// Request is what a key is to be.
type Request struct {
	Tenant    string
	Name      string        // lower-case letters, digits, dots, hyphens and underscores, at most 63
	Roles     []string      // of `known`, at least one
	ExpiresIn time.Duration // 0: never
}

// Check says everything that is wrong with a request; known are the roles that there are. The error is an *orchestrator.InputError.
func (q *Request) Check(known []string) error {
	wrong := &orchestrator.InputError{Message: "the API key is wrong"}
	add := func(path, format string, args ...any) {
		wrong.Fields = append(wrong.Fields, orchestrator.FieldError{Path: path, Message: fmt.Sprintf(format, args...)})
	}
	if !match(q.Tenant) {
		add("tenant", "%q: want lower-case letters, digits, dots, hyphens and underscores, at most 63", q.Tenant)
	}
	if !match(q.Name) {
		add("name", "%q: want lower-case letters, digits, dots, hyphens and underscores, at most 63", q.Name)
	}
	if len(q.Roles) == 0 {
		add("roles", "want one or more of %s", strings.Join(known, ", "))
	}
	for _, role := range q.Roles {
		if !slices.Contains(known, role) {
			add("roles", "%q is no role; there are %s", role, strings.Join(known, ", "))
		}
	}
	if q.ExpiresIn < 0 {
		add("expires", "%s: want 0 (never) or a time to come", q.ExpiresIn)
	}
	if len(wrong.Fields) > 0 {
		return wrong
	}
	return nil
}

func match(name string) bool {
	return regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,62}$`).MatchString(name)
}

// Create makes a key of a request that was checked. The text is the key itself: it is nowhere else. ErrNameTaken: see there.
func Create(ctx context.Context, store orchestrator.APIKeys, q Request, by By) (text string, row orchestrator.APIKey, err error) {
	text, key := draw(random(idDigits / 2))
	roles := slices.Clone(q.Roles)
	slices.Sort(roles)
	row = orchestrator.APIKey{ID: key.ID, Tenant: q.Tenant, Name: q.Name, Roles: slices.Compact(roles), Secret: key.Sum, CreatedBy: by.Actor}
	if q.ExpiresIn > 0 {
		row.ExpiresAt = time.Now().Add(q.ExpiresIn).UTC().Truncate(time.Second)
	}
	detail := map[string]any{"roles": row.Roles}
	if !row.ExpiresAt.IsZero() {
		detail["expires_at"] = row.ExpiresAt
	}
	err = store.CreateAPIKey(ctx, row, by.audit("apikey.create", &row, "created", detail))
	if errors.Is(err, orchestrator.ErrConflict) { // ids of 64 random bits do not meet
		return "", row, ErrNameTaken
	}
	if err != nil {
		return "", row, err
	}
	row, err = store.FindAPIKey(ctx, row.ID)
	return text, row, err
}

// Find is the tenant's key with that id, or else the one of that name that is not revoked; orchestrator.ErrNotFound where there is none.
func Find(ctx context.Context, store orchestrator.APIKeys, tenant, name string) (orchestrator.APIKey, error) {
	keys, err := store.APIKeys(ctx, tenant)
	if err != nil {
		return orchestrator.APIKey{}, err
	}
	for i := range keys {
		if keys[i].ID == name && keys[i].Tenant == tenant {
			return keys[i], nil
		}
	}
	for i := range keys {
		if keys[i].Name == name && keys[i].Tenant == tenant && keys[i].RevokedAt.IsZero() {
			return keys[i], nil
		}
	}
	return orchestrator.APIKey{}, orchestrator.ErrNotFound
}

// Rotate gives a key a new secret; the one before stays good for the overlap, which may be 0.
func Rotate(ctx context.Context, store orchestrator.APIKeys, row orchestrator.APIKey, overlap time.Duration, by By) (text string, err error) {
	text, key := draw(row.ID)
	until := time.Now().Add(overlap).UTC().Truncate(time.Microsecond)
	err = store.RotateAPIKey(ctx, row.Tenant, row.ID, key.Sum, until, by.audit("apikey.rotate", &row, "rotated", map[string]any{"old_until": until}))
	if err != nil {
		return "", err
	}
	return text, nil
}

// Revoke ends a key for good. Replicas that know it go on letting it in for some seconds (auth.CacheFor).
func Revoke(ctx context.Context, store orchestrator.APIKeys, row orchestrator.APIKey, by By, reason string) error {
	return store.RevokeAPIKey(ctx, row.Tenant, row.ID, by.audit("apikey.revoke", &row, reason, nil))
}

func (b By) audit(action string, row *orchestrator.APIKey, reason string, detail map[string]any) orchestrator.Audit {
	a := orchestrator.Audit{
		Tenant: row.Tenant, Actor: b.Actor, From: b.From, Action: action, Target: row.Name + " " + row.ID, Reason: reason, RequestID: b.RequestID,
	}
	if detail != nil {
		a.Detail, _ = json.Marshal(detail) // texts and times
	}
	return a
}
