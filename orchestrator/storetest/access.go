package storetest

import (
	"crypto/sha256"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator"
)

func apiKey(tenant, name, id string) orchestrator.APIKey {
	return orchestrator.APIKey{ID: id, Tenant: tenant, Name: name, Roles: []string{"operator", "viewer"}, Secret: sha256.Sum256([]byte("secret of " + id)), CreatedBy: "ada"}
}

func (s *suite) createKey(key orchestrator.APIKey) {
	require.NoError(s, s.Store.CreateAPIKey(s.ctx, key, audit(key.Tenant, "apikey.create")))
}

func (s *suite) findKey(id string) orchestrator.APIKey {
	key, err := s.Store.FindAPIKey(s.ctx, id)
	require.NoError(s, err)
	return key
}

const (
	keyOne, keyTwo, keyThree = "0000000000000001", "0000000000000002", "0000000000000003"
)

func accessKeysAreKept(s *suite) {
	one, other := apiKey(tenant, "ci", keyOne), apiKey("other", "ci", keyTwo)
	one.ExpiresAt = time.Date(2100, 1, 2, 3, 4, 5, 0, time.UTC)
	s.createKey(one)
	s.createKey(other)
	require.ErrorIs(s, s.Store.CreateAPIKey(s.ctx, apiKey(tenant, "ci", keyThree), audit(tenant, "apikey.create")), orchestrator.ErrConflict, "the name is taken")
	require.ErrorIs(s, s.Store.CreateAPIKey(s.ctx, apiKey(tenant, "cd", keyTwo), audit(tenant, "apikey.create")), orchestrator.ErrConflict, "the id is taken")
	got := s.findKey(keyOne)
	require.False(s, got.CreatedAt.IsZero())
	got.CreatedAt = time.Time{}
	equal(s, one, got)
	_, err := s.Store.FindAPIKey(s.ctx, keyThree)
	require.ErrorIs(s, err, orchestrator.ErrNotFound)

	for of, want := range map[string][]string{tenant: {keyOne}, "other": {keyTwo}, "nobody": nil, "": {keyOne, keyTwo}} {
		keys, err := s.Store.APIKeys(s.ctx, of)
		require.NoError(s, err)
		var ids []string
		for i := range keys {
			ids = append(ids, keys[i].ID)
		}
		require.ElementsMatch(s, want, ids, "the keys of %q", of)
	}
	entries, err := s.Store.Audit(s.ctx, tenant, 0, 10)
	require.NoError(s, err)
	require.Len(s, entries, 1, "what was refused left no record")
}

func accessKeysChange(s *suite) {
	s.createKey(apiKey(tenant, "ci", keyOne))
	secret, until := sha256.Sum256([]byte("another")), time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
	rotate, revoke := audit(tenant, "apikey.rotate"), audit(tenant, "apikey.revoke")
	require.ErrorIs(s, s.Store.RotateAPIKey(s.ctx, "other", keyOne, secret, until, rotate), orchestrator.ErrNotFound, "another tenant's key")
	require.NoError(s, s.Store.RotateAPIKey(s.ctx, tenant, keyOne, secret, until, rotate))
	got := s.findKey(keyOne)
	require.Equal(s, secret, got.Secret)
	require.Equal(s, apiKey(tenant, "ci", keyOne).Secret, got.OldSecret)
	require.Equal(s, until, got.OldUntil)

	require.ErrorIs(s, s.Store.RevokeAPIKey(s.ctx, "other", keyOne, revoke), orchestrator.ErrNotFound)
	require.True(s, s.findKey(keyOne).RevokedAt.IsZero())
	require.NoError(s, s.Store.RevokeAPIKey(s.ctx, tenant, keyOne, revoke))
	require.False(s, s.findKey(keyOne).RevokedAt.IsZero())
	require.ErrorIs(s, s.Store.RevokeAPIKey(s.ctx, tenant, keyOne, revoke), orchestrator.ErrNotFound, "it is revoked")
	require.ErrorIs(s, s.Store.RotateAPIKey(s.ctx, tenant, keyOne, secret, until, rotate), orchestrator.ErrNotFound, "it is revoked")
	s.createKey(apiKey(tenant, "ci", keyTwo)) // the name is free again
	entries, err := s.Store.Audit(s.ctx, tenant, 0, 10)
	require.NoError(s, err)
	require.Len(s, entries, 4)
}

func accessKeyUseIsNotedOnceAMinute(s *suite) {
	s.createKey(apiKey(tenant, "ci", keyOne))
	require.NoError(s, s.Store.NoteAPIKeyUse(s.ctx, keyTwo), "nobody's key")
	require.NoError(s, s.Store.NoteAPIKeyUse(s.ctx, keyOne))
	first := s.findKey(keyOne).UsedAt
	require.False(s, first.IsZero())
	s.Age(s, 30*time.Second)
	require.NoError(s, s.Store.NoteAPIKeyUse(s.ctx, keyOne))
	require.Equal(s, first, s.findKey(keyOne).UsedAt)
	s.Age(s, 31*time.Second)
	require.NoError(s, s.Store.NoteAPIKeyUse(s.ctx, keyOne))
	require.True(s, s.findKey(keyOne).UsedAt.After(first.Add(time.Minute)))
}

func accessSessionsEnd(s *suite) {
	// A fixture's clock begins where it likes: what it says of a saga's time is a time to count from.
	s.createKey(apiKey(tenant, "ci", keyOne))
	now := s.findKey(keyOne).CreatedAt
	begin := audit(tenant, "session.begin")
	session := orchestrator.Session{ID: sha256.Sum256([]byte("one")), Tenant: tenant, Data: []byte(`{"name":"ada"}`), IdleUntil: now.Add(time.Hour), EndsAt: now.Add(3 * time.Hour)}
	require.NoError(s, s.Store.PutSession(s.ctx, session, begin))
	require.ErrorIs(s, s.Store.PutSession(s.ctx, session, begin), orchestrator.ErrConflict)
	got, err := s.Store.FindSession(s.ctx, session.ID)
	require.NoError(s, err)
	equal(s, session, got)

	s.Age(s, 50*time.Minute)
	require.NoError(s, s.Store.TouchSession(s.ctx, session.ID, now.Add(110*time.Minute)))
	s.Age(s, 50*time.Minute)
	_, err = s.Store.FindSession(s.ctx, session.ID)
	require.NoError(s, err, "it was moved on")
	require.NoError(s, s.Store.TouchSession(s.ctx, session.ID, now.Add(10*time.Hour)))
	got, err = s.Store.FindSession(s.ctx, session.ID)
	require.NoError(s, err)
	require.Equal(s, session.EndsAt, got.IdleUntil, "no further than its end")
	s.Age(s, 2*time.Hour)
	_, err = s.Store.FindSession(s.ctx, session.ID)
	require.ErrorIs(s, err, orchestrator.ErrNotFound, "it has ended")
	require.NoError(s, s.Store.TouchSession(s.ctx, session.ID, now.Add(10*time.Hour)))
	_, err = s.Store.FindSession(s.ctx, session.ID)
	require.ErrorIs(s, err, orchestrator.ErrNotFound, "what has ended is not moved on")
	gone, err := s.Store.SweepSessions(s.ctx)
	require.NoError(s, err)
	require.Equal(s, int64(1), gone)

	session.ID, session.IdleUntil, session.EndsAt = sha256.Sum256([]byte("two")), now.Add(30*time.Hour), now.Add(30*time.Hour)
	require.NoError(s, s.Store.PutSession(s.ctx, session, begin))
	gone, err = s.Store.SweepSessions(s.ctx)
	require.NoError(s, err)
	require.Zero(s, gone, "it lives")
	require.NoError(s, s.Store.EndSession(s.ctx, session.ID))
	require.NoError(s, s.Store.EndSession(s.ctx, session.ID), "twice is harmless")
	require.NoError(s, s.Store.TouchSession(s.ctx, session.ID, now.Add(30*time.Hour)))
	_, err = s.Store.FindSession(s.ctx, session.ID)
	require.ErrorIs(s, err, orchestrator.ErrNotFound, "a touch does not bring it back")
}
