package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/skaldhq/skald/api"
	"github.com/skaldhq/skald/api/apikey"
	"github.com/skaldhq/skald/orchestrator"
)

// keyActor stands before the name of a key in the audit, so that it is nobody else's.
const keyActor = "key:"

// lookupLimit bounds a look into the database: whoever asked may be gone by then, and others wait for the same answer.
const lookupLimit = 3 * time.Second

// keys knows API keys, those that were looked for within CacheFor without asking the database.
type keys struct {
	store  orchestrator.APIKeys
	now    func() time.Time
	log    *slog.Logger
	flight singleflight.Group // by id
	known  *cache[string, knownKey]

	mu    sync.Mutex           // guards noted
	noted map[string]time.Time // when use was noted, by id
}

type knownKey struct {
	row   orchestrator.APIKey
	found bool
}

func newKeys(store orchestrator.APIKeys, now func() time.Time, log *slog.Logger) *keys {
	return &keys{store: store, now: now, log: log, known: newCache[string, knownKey](now), noted: map[string]time.Time{}}
}

// principal is whom a key stands for.
func (k *keys) principal(ctx context.Context, key apikey.Key) (api.Principal, error) {
	row, found, err := k.find(ctx, key.ID)
	if err != nil {
		return api.Principal{}, err
	}
	if !found || !key.Good(&row, k.now()) {
		return api.Principal{}, refused("the API key " + key.ID + " is unknown, revoked, expired, or has another secret")
	}
	k.note(ctx, &row)
	who := api.Principal{Name: keyActor + row.Name, Tenant: row.Tenant}
	for _, role := range row.Roles {
		who.Roles = append(who.Roles, api.Role(role)) // one that is not known has no permissions
	}
	return who, nil
}

func (k *keys) find(ctx context.Context, id string) (orchestrator.APIKey, bool, error) {
	if known, ok := k.known.get(id); ok {
		return known.row, known.found, nil
	}
	found, err, _ := k.flight.Do(id, func() (any, error) {
		began := k.now()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookupLimit)
		defer cancel()
		row, err := k.store.FindAPIKey(ctx, id)
		if err != nil && !errors.Is(err, orchestrator.ErrNotFound) {
			return nil, fmt.Errorf("look for an API key: %w", err)
		}
		known := knownKey{row, err == nil}
		k.known.put(id, known, began)
		return known, nil
	})
	if err != nil {
		return orchestrator.APIKey{}, false, err
	}
	known := found.(knownKey)
	return known.row, known.found, nil
}

// note writes down that a key is used, once a minute. That it could not be written keeps nobody out.
func (k *keys) note(ctx context.Context, row *orchestrator.APIKey) {
	now := k.now()
	k.mu.Lock()
	last := k.noted[row.ID]
	due := now.Sub(last) >= time.Minute && now.Sub(row.UsedAt) >= time.Minute
	if due {
		k.noted[row.ID] = now // those that were used: no more than there are keys
	}
	k.mu.Unlock()
	if !due {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookupLimit)
	defer cancel()
	if err := k.store.NoteAPIKeyUse(ctx, row.ID); err != nil {
		k.log.WarnContext(ctx, "use of an API key not noted", "key_id", row.ID, "error", err)
	}
}
