package wire

import (
	"crypto/rand"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"strconv"
)

// ID is a UUID: of a saga, a command or a reply. The zero value is the nil UUID and never a valid id on the wire.
type ID [16]byte

// ParseID reads the canonical text form (36 characters, lower or upper case hex). The nil UUID is an error.
func ParseID(s string) (ID, error) {
	var id ID
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return ID{}, fmt.Errorf("parse id %q: not a UUID of 36 characters", clip(s))
	}
	digits := s[0:8] + s[9:13] + s[14:18] + s[19:23] + s[24:36]
	if _, err := hex.Decode(id[:], []byte(digits)); err != nil {
		return ID{}, fmt.Errorf("parse id %q: not hexadecimal", clip(s))
	}
	if id.IsZero() {
		return ID{}, fmt.Errorf("parse id %q: the nil UUID", s)
	}
	return id, nil
}

// RandomID returns a new UUIDv4. It is safe for concurrent use.
func RandomID() ID {
	var id ID
	_, _ = rand.Read(id[:]) // crypto/rand never fails; it ends the process instead
	return id.versioned(4)
}

// IsZero reports whether id is the nil UUID.
func (id ID) IsZero() bool { return id == ID{} }

// String is the canonical lower-case text form.
func (id ID) String() string {
	var b [36]byte
	hex.Encode(b[0:8], id[0:4])
	hex.Encode(b[9:13], id[4:6])
	hex.Encode(b[14:18], id[6:8])
	hex.Encode(b[19:23], id[8:10])
	hex.Encode(b[24:36], id[10:16])
	b[8], b[13], b[18], b[23] = '-', '-', '-', '-'
	return string(b[:])
}

// MarshalText is String.
func (id ID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText is ParseID.
func (id *ID) UnmarshalText(text []byte) error {
	parsed, err := ParseID(string(text))
	if err != nil {
		return err
	}
	*id = parsed
	return nil
}

func (id ID) versioned(version byte) ID {
	id[6] = id[6]&0x0f | version<<4
	id[8] = id[8]&0x3f | 0x80
	return id
}

// CommandID is the id of a step's command: UUIDv5 with the saga id as namespace over step 0x00 verb 0x00 edition in
// decimal. It is the same for every attempt of the edition [S5].
func CommandID(sagaID ID, step string, verb Verb, edition int) ID {
	name := make([]byte, 0, 16+len(step)+len(verb)+12)
	name = append(name, sagaID[:]...)
	name = append(name, step...)
	name = append(name, 0)
	name = append(name, verb...)
	name = append(name, 0)
	name = strconv.AppendInt(name, int64(edition), 10)
	sum := sha1.Sum(name)
	return ID(sum[:16]).versioned(5)
}

// clip shortens what came from outside before it goes into an error.
func clip(s string) string {
	const limit = 80
	if len(s) <= limit {
		return s
	}
	return s[:limit] + "..."
}
