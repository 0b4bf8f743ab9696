package wire

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// Why a token was refused. Verify returns one of them, so that callers can count them apart.
var (
	ErrTokenMalformed  = errors.New("reply token is malformed")
	ErrTokenUnknownKey = errors.New("reply token names an unknown key")
	ErrTokenWrong      = errors.New("reply token does not fit the reply")
)

// MinKeyBytes is the shortest key that a ring takes.
const MinKeyBytes = 16

// Key is one key of a ring.
type Key struct {
	ID     string // [A-Za-z0-9_-]{1,32}
	Secret []byte // MinKeyBytes or more
}

// Keyring signs and verifies reply tokens: the first key signs, all verify. It is immutable and safe for concurrent use.
type Keyring struct {
	keys []Key
}

// NewKeyring returns a ring of keys, the signing one first. It fails on an empty ring, a bad or repeated id, or a
// short secret.
func NewKeyring(keys ...Key) (*Keyring, error) {
	if len(keys) == 0 {
		return nil, errors.New("build key ring: no key")
	}
	ring := &Keyring{keys: make([]Key, 0, len(keys))}
	for _, key := range keys {
		if !validKeyID(key.ID) {
			return nil, fmt.Errorf("build key ring: key id %q is not [A-Za-z0-9_-]{1,32}", clip(key.ID))
		}
		if len(key.Secret) < MinKeyBytes {
			return nil, fmt.Errorf("build key ring: key %q has %d bytes, fewer than %d", key.ID, len(key.Secret), MinKeyBytes)
		}
		if ring.find(key.ID) != nil {
			return nil, fmt.Errorf("build key ring: key id %q appears twice", key.ID)
		}
		ring.keys = append(ring.keys, Key{ID: key.ID, Secret: append([]byte(nil), key.Secret...)})
	}
	return ring, nil
}

// ParseKeyring reads "kid:hex,kid:hex,...". Its errors never contain a secret.
func ParseKeyring(text string) (*Keyring, error) {
	var keys []Key
	for i, entry := range strings.Split(text, ",") {
		kid, digits, ok := strings.Cut(strings.TrimSpace(entry), ":")
		if !ok {
			return nil, fmt.Errorf("parse key ring: entry %d is not kid:hex", i+1)
		}
		secret, err := hex.DecodeString(digits)
		if err != nil {
			return nil, fmt.Errorf("parse key ring: secret of entry %d is not hexadecimal", i+1)
		}
		keys = append(keys, Key{ID: kid, Secret: secret})
	}
	return NewKeyring(keys...)
}

// Sign returns the token that a command to participant carries and its replies echo.
func (k *Keyring) Sign(tenant string, sagaID, commandID ID, participant string) string {
	return k.keys[0].token(tenant, sagaID, commandID, participant)
}

// Verify returns nil when token was signed by a key of the ring for exactly these fields, else one of the ErrToken
// errors. It compares in constant time.
func (k *Keyring) Verify(token, tenant string, sagaID, commandID ID, participant string) error {
	kid, text, ok := strings.Cut(token, ".")
	if !ok {
		return ErrTokenMalformed
	}
	// The length is checked on the text too: the decoder skips line breaks.
	sum, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(sum) != sha256.Size || len(text) != base64.RawURLEncoding.EncodedLen(sha256.Size) {
		return ErrTokenMalformed
	}
	key := k.find(kid)
	if key == nil {
		return ErrTokenUnknownKey
	}
	if !hmac.Equal(sum, key.mac(tenant, sagaID, commandID, participant)) {
		return ErrTokenWrong
	}
	return nil
}

// VerifySHA256 reports whether sum is the SHA-256 of a token that Verify accepts for exactly these fields. It compares in
// constant time.
func (k *Keyring) VerifySHA256(sum []byte, tenant string, sagaID, commandID ID, participant string) bool {
	for i := range k.keys {
		want := sha256.Sum256([]byte(k.keys[i].token(tenant, sagaID, commandID, participant)))
		if hmac.Equal(sum, want[:]) {
			return true
		}
	}
	return false
}

// String hides the secrets.
func (k *Keyring) String() string { return fmt.Sprintf("keyring(%d keys)", len(k.keys)) }

// GoString hides the secrets.
func (k *Keyring) GoString() string { return k.String() }

func (k *Keyring) find(kid string) *Key {
	for i := range k.keys {
		if k.keys[i].ID == kid {
			return &k.keys[i]
		}
	}
	return nil
}

func (k *Key) token(tenant string, sagaID, commandID ID, participant string) string {
	return k.ID + "." + base64.RawURLEncoding.EncodeToString(k.mac(tenant, sagaID, commandID, participant))
}

// mac is over length-prefixed fields: without the lengths, ("ab", "c") and ("a", "bc") would share a token.
func (k *Key) mac(tenant string, sagaID, commandID ID, participant string) []byte {
	message := make([]byte, 0, 4*4+len(tenant)+32+len(participant))
	for _, field := range []string{tenant, string(sagaID[:]), string(commandID[:]), participant} {
		message = binary.BigEndian.AppendUint32(message, uint32(len(field)))
		message = append(message, field...)
	}
	mac := hmac.New(sha256.New, k.Secret)
	mac.Write(message)
	return mac.Sum(nil)
}

// String hides the secret.
func (k Key) String() string { return "key(" + k.ID + ")" }

// GoString hides the secret.
func (k Key) GoString() string { return k.String() }

func validKeyID(s string) bool {
	if s == "" || len(s) > 32 {
		return false
	}
	for _, c := range []byte(s) {
		if !isLower(c) && !isUpper(c) && !isDigit(c) && c != '_' && c != '-' {
			return false
		}
	}
	return true
}
