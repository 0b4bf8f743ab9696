package apikey

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/memory"
)

func TestParse(t *testing.T) {
	t.Parallel()
	text, key := draw("0123456789abcdef")
	require.True(t, strings.HasPrefix(text, "sk_0123456789abcdef_"))
	require.Len(t, text, 84)
	got, ok := Parse(text)
	require.True(t, ok)
	require.Equal(t, key, got)
	other, _ := draw("0123456789abcdef")
	require.NotEqual(t, text, other)
	for _, bad := range []string{
		"", "sk_", text[:83], text + "0", strings.ToUpper(text), "pk" + text[2:], strings.Replace(text, "_", "-", 1), text[:19] + "-" + text[20:],
		text[:83] + "g", text[:83] + "\n", " " + text[:83], strings.Repeat("a", 1<<20),
	} {
		_, ok := Parse(bad)
		require.False(t, ok, "%.90q", bad)
	}
}

func TestGood(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 7, 0, 0, 0, time.UTC)
	_, key := draw("0123456789abcdef")
	_, old := draw("0123456789abcdef")
	_, stranger := draw("0123456789abcdef")
	row := orchestrator.APIKey{ID: key.ID, Secret: key.Sum}
	require.True(t, key.Good(&row, now))
	require.False(t, stranger.Good(&row, now))
	require.False(t, Key{ID: "fedcba9876543210", Sum: key.Sum}.Good(&row, now), "another key's secret")
	require.False(t, Key{ID: key.ID}.Good(&row, now), "there is no old secret to be equal to")

	rotated := row
	rotated.OldSecret, rotated.OldUntil = old.Sum, now.Add(time.Minute)
	require.True(t, key.Good(&rotated, now))
	require.True(t, old.Good(&rotated, now))
	require.False(t, old.Good(&rotated, now.Add(time.Minute)), "the overlap is over")
	require.False(t, stranger.Good(&rotated, now))

	expiring := row
	expiring.ExpiresAt = now
	require.True(t, key.Good(&expiring, now.Add(-time.Nanosecond)))
	require.False(t, key.Good(&expiring, now))
	revoked := rotated
	revoked.RevokedAt = now
	require.False(t, key.Good(&revoked, now))
	require.False(t, old.Good(&revoked, now))
}

func TestCheck_AllMistakesAtOnce(t *testing.T) {
	t.Parallel()
	known := []string{"viewer", "operator"}
	require.NoError(t, (&Request{Tenant: "default", Name: "ci-1", Roles: []string{"viewer"}}).Check(known))
	err := (&Request{Tenant: "A", Name: "c i", Roles: []string{"viewer", "root"}, ExpiresIn: -1}).Check(known)
	var wrong *orchestrator.InputError
	require.ErrorAs(t, err, &wrong)
	require.Len(t, wrong.Fields, 4)
	require.Error(t, (&Request{Tenant: "default", Name: "ci"}).Check(known), "no role")
}

func TestLife(t *testing.T) {
	t.Parallel()
	ctx, store := t.Context(), memory.New(memory.Config{})
	by := By{Actor: "cli:ada", From: "command line"}
	q := Request{Tenant: "default", Name: "ci", Roles: []string{"viewer", "operator", "viewer"}, ExpiresIn: time.Hour}
	text, row, err := Create(ctx, store, q, by)
	require.NoError(t, err)
	require.Equal(t, []string{"operator", "viewer"}, row.Roles)
	require.WithinDuration(t, time.Now().Add(time.Hour), row.ExpiresAt, time.Minute)
	_, _, err = Create(ctx, store, q, by)
	require.ErrorIs(t, err, ErrNameTaken)

	for _, name := range []string{"ci", row.ID} {
		found, err := Find(ctx, store, "default", name)
		require.NoError(t, err)
		require.Equal(t, row.ID, found.ID)
		_, err = Find(ctx, store, "other", name)
		require.ErrorIs(t, err, orchestrator.ErrNotFound)
	}
	next, err := Rotate(ctx, store, row, time.Minute, by)
	require.NoError(t, err)
	row, err = store.FindAPIKey(ctx, row.ID)
	require.NoError(t, err)
	for _, one := range []string{text, next} {
		key, _ := Parse(one)
		require.True(t, key.Good(&row, time.Now()))
	}
	last, err := Rotate(ctx, store, row, 0, by)
	require.NoError(t, err)
	row, err = store.FindAPIKey(ctx, row.ID)
	require.NoError(t, err)
	for _, one := range []string{text, next} {
		key, _ := Parse(one)
		require.False(t, key.Good(&row, time.Now()))
	}
	key, _ := Parse(last)
	require.True(t, key.Good(&row, time.Now()))
	require.NoError(t, Revoke(ctx, store, row, by, "gone"))
	_, err = Find(ctx, store, "default", "ci")
	require.ErrorIs(t, err, orchestrator.ErrNotFound, "a name finds no key that was revoked")

	entries, err := store.AuditEntries(ctx, orchestrator.AuditQuery{Tenant: "default", Action: "apikey", Limit: 10})
	require.NoError(t, err)
	require.Len(t, entries, 4)
	for _, e := range entries {
		require.Equal(t, "cli:ada", e.Actor)
		require.Equal(t, "ci "+row.ID, e.Target)
		for _, secret := range []string{text, next, last} {
			require.NotContains(t, string(e.Detail), secret[20:], "no secret in the audit")
		}
	}
}
