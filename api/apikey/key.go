package apikey

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"strings"
	"time"

	"github.com/skaldhq/skald/orchestrator"
)

// Prefix begins every key, so that scanners for leaked secrets know one.
const Prefix = "sk_"

const (
	idDigits     = 16
	secretDigits = 64
)

// Key is a key taken apart.
type Key struct {
	ID  string
	Sum [32]byte // SHA-256 of the secret
}

// draw makes a key of the id with a new secret. Text is the key itself, and stays nowhere.
func draw(id string) (text string, key Key) {
	secret := random(secretDigits / 2)
	return Prefix + id + "_" + secret, Key{id, sha256.Sum256([]byte(secret))}
}

func random(bytes int) string {
	b := make([]byte, bytes)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// Parse takes a key apart; ok is false where the text cannot be one.
func Parse(text string) (key Key, ok bool) {
	if len(text) != len(Prefix)+idDigits+1+secretDigits || !strings.HasPrefix(text, Prefix) || text[len(Prefix)+idDigits] != '_' {
		return Key{}, false
	}
	id, secret := text[len(Prefix):len(Prefix)+idDigits], text[len(Prefix)+idDigits+1:]
	if !lowerHex(id) || !lowerHex(secret) {
		return Key{}, false
	}
	return Key{id, sha256.Sum256([]byte(secret))}, true
}

func lowerHex(s string) bool {
	return strings.Trim(s, "0123456789abcdef") == ""
}

// Good reports whether the key is the stored one and may be used at that time: it is not revoked, has not expired, and its secret is
// the current one, or the one before while that is still good. It takes as long whatever the secret is.
func (k Key) Good(stored *orchestrator.APIKey, at time.Time) bool {
	current := subtle.ConstantTimeCompare(k.Sum[:], stored.Secret[:])
	old := subtle.ConstantTimeCompare(k.Sum[:], stored.OldSecret[:])
	switch {
	case k.ID != stored.ID, !stored.RevokedAt.IsZero(), !stored.ExpiresAt.IsZero() && !at.Before(stored.ExpiresAt):
		return false
	}
	return current == 1 || old == 1 && at.Before(stored.OldUntil)
}
