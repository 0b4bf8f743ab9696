package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"

	"github.com/skaldhq/skald/orchestrator/postgres"
	"github.com/skaldhq/skald/participants/wire"
)

// keyring signs and verifies reply tokens: the ring of the settings, or the one in the database, which the first replica
// makes.
func (r *replica) keyring(ctx context.Context, store *postgres.Store) (*wire.Keyring, error) {
	if text := r.cfg.ReplyKeys.Reveal(); text != "" {
		return wire.ParseKeyring(text)
	}
	secret := make([]byte, 32)
	_, _ = rand.Read(secret) // never fails
	keys, err := store.Keys(ctx, wire.Key{ID: "k" + strings.ToLower(rand.Text()[:8]), Secret: secret})
	if err != nil {
		return nil, fmt.Errorf("read the reply tokens' keys: %w", err)
	}
	return wire.NewKeyring(keys...)
}
