package auth

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/api"
	"github.com/skaldhq/skald/api/apikey"
)

func TestKeys_StandForWhatTheyWereMadeFor(t *testing.T) {
	t.Parallel()
	b := setup(t)
	text, row := b.key(t, "acme", "ci", "starter", "viewer")
	who, err := b.auth.Authenticate(bearer(text))
	require.NoError(t, err)
	require.Equal(t, api.Principal{Name: "key:ci", Tenant: "acme", Roles: []api.Role{api.RoleStarter, api.RoleViewer}}, who)
	used, err := b.store.Store.FindAPIKey(t.Context(), row.ID)
	require.NoError(t, err)
	require.Equal(t, b.clock().UTC(), used.UsedAt.UTC())

	r := request("GET", "https://skald.example/")
	r.Header.Set("Authorization", "bearer  "+text)
	_, err = b.auth.Authenticate(r)
	require.NoError(t, err, "schemes have no case")
}

func TestKeys_AreRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	text, row := b.key(t, "acme", "ci", "admin")
	wrong := text[:83] + "0"
	if wrong == text {
		wrong = text[:83] + "1"
	}
	for name, header := range map[string][]string{
		"Nothing":     nil,
		"Empty":       {""},
		"Basic":       {"Basic " + text},
		"NoScheme":    {text},
		"Two":         {"Bearer " + text, "Bearer " + text},
		"OtherSecret": {"Bearer " + wrong},
		"NoSecret":    {"Bearer sk_" + row.ID + "_"},
		"HashOfIt":    {"Bearer sk_" + row.ID + "_" + hexOf(row.Secret)},
		"Unknown":     {"Bearer sk_0000000000000000_" + text[20:]},
		"Long":        {"Bearer " + text + strings.Repeat("0", 1<<20)},
		"Injection":   {"Bearer sk_' OR 1=1 -- _" + text[20:]},
	} {
		r := request("GET", "https://skald.example/v1/sagas")
		r.Header["Authorization"] = header
		_, err := b.auth.Authenticate(r)
		require.ErrorIs(t, err, api.ErrUnauthenticated, name)
	}
	require.NotContains(t, b.logs.String(), text[20:], "secrets are not logged")
	off := setup(t, func(c *Config) { c.Keys = nil })
	_, err := off.auth.Authenticate(bearer(text))
	require.ErrorIs(t, err, api.ErrUnauthenticated, "keys are turned off")
}

func hexOf(sum [32]byte) string {
	const digits = "0123456789abcdef"
	var out strings.Builder
	for _, c := range sum {
		out.WriteByte(digits[c>>4])
		out.WriteByte(digits[c&15])
	}
	return out.String()
}

// T1: a revoked key is of no use after 5 seconds.
func TestKeys_RevokedWithinFiveSeconds(t *testing.T) {
	t.Parallel()
	b := setup(t)
	text, row := b.key(t, "acme", "ci", "viewer")
	_, err := b.auth.Authenticate(bearer(text))
	require.NoError(t, err)
	require.NoError(t, apikey.Revoke(t.Context(), b.store, row, apikey.By{Actor: "test"}, "gone"))
	b.pass(CacheFor)
	_, err = b.auth.Authenticate(bearer(text))
	require.ErrorIs(t, err, api.ErrUnauthenticated)
	require.LessOrEqual(t, CacheFor, 5*time.Second)
}

func TestKeys_ExpireAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	text, row, err := apikey.Create(t.Context(), b.store.Store, apikey.Request{Tenant: "acme", Name: "ci", Roles: []string{"viewer"}, ExpiresIn: time.Hour}, apikey.By{Actor: "test"})
	require.NoError(t, err)
	b.pass(row.ExpiresAt.Sub(b.clock()) - time.Second)
	_, err = b.auth.Authenticate(bearer(text))
	require.NoError(t, err)
	b.pass(time.Second)
	_, err = b.auth.Authenticate(bearer(text))
	require.ErrorIs(t, err, api.ErrUnauthenticated, "what is remembered expires too")
}

func TestKeys_NotEveryRequestAsksTheDatabase(t *testing.T) {
	t.Parallel()
	b := setup(t)
	text, _ := b.key(t, "acme", "ci", "viewer")
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() { _, _ = b.auth.Authenticate(bearer(text)) })
	}
	all.Wait()
	_, err := b.auth.Authenticate(bearer("sk_0000000000000000_" + text[20:]))
	require.ErrorIs(t, err, api.ErrUnauthenticated)
	_, err = b.auth.Authenticate(bearer("sk_0000000000000000_" + text[20:]))
	require.ErrorIs(t, err, api.ErrUnauthenticated)
	require.Equal(t, 2, b.store.looks, "one for the key, one for the id that nobody has")
}

func TestKeys_DatabaseAwayIsNoRefusal(t *testing.T) {
	t.Parallel()
	b := setup(t)
	text, _ := b.key(t, "acme", "ci", "viewer")
	away := errors.New("the database is away")
	b.store.fail(away)
	_, err := b.auth.Authenticate(bearer(text))
	require.ErrorIs(t, err, away)
	require.NotErrorIs(t, err, api.ErrUnauthenticated)
	b.store.fail(nil)
	_, err = b.auth.Authenticate(bearer(text))
	require.NoError(t, err, "an outage is not remembered")
	b.pass(CacheFor)
	b.store.fail(away)
	_, err = b.auth.Authenticate(bearer(text))
	require.ErrorIs(t, err, away, "nobody is let in by what is too old")
}
