package saga

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/fnv"
	"time"
)

// ShardBits is the width of a shard number: 12 bits, stored in the rand_a field of a UUIDv7 (RFC 9562, 5.7).
const ShardBits = 12

// ID names a saga: a UUIDv7 whose rand_a bits hold the saga's shard, so that an id names its shard.
type ID [16]byte

// BatchID names one transaction of the committer: a UUIDv7. The zero value means: none.
type BatchID [16]byte

// NewID makes a saga's id of the time it was made, its shard (the low 12 bits count) and 62 random bits of random.
func NewID(at time.Time, shard uint16, random uint64) ID {
	var id ID
	binary.BigEndian.PutUint64(id[:8], uint64(at.UnixMilli())<<16|0x7000|uint64(shard&0x0fff))
	binary.BigEndian.PutUint64(id[8:], random&^(3<<62)|2<<62)
	return id
}

// ShardOf is the shard of a saga with a business key: a 12-bit hash of tenant, saga and key. Without a key callers draw one.
func ShardOf(tenant, saga, key string) uint16 {
	h := fnv.New32a()
	for _, s := range []string{tenant, saga, key} {
		_, _ = h.Write([]byte(s))
		_, _ = h.Write([]byte{0})
	}
	sum := h.Sum32()
	return uint16((sum ^ sum>>12 ^ sum>>24) & 0x0fff)
}

// Shard is the shard that the id names.
func (id ID) Shard() uint16 { return binary.BigEndian.Uint16(id[6:8]) & 0x0fff }

// Time is when the id was made, to the millisecond.
func (id ID) Time() time.Time {
	return time.UnixMilli(int64(binary.BigEndian.Uint64(id[:8]) >> 16)).UTC()
}

// IsZero reports whether the id is unset.
func (id ID) IsZero() bool { return id == ID{} }

func (id ID) String() string { return formatUUID(id) }

// MarshalText writes the id as UUID text.
func (id ID) MarshalText() ([]byte, error) { return []byte(formatUUID(id)), nil }

// UnmarshalText reads UUID text; ErrID if it is none.
func (id *ID) UnmarshalText(b []byte) (err error) {
	*id, err = ParseID(string(b))
	return err
}

// ErrID is what ParseID answers to text that is no UUID.
var ErrID = errors.New("not a saga id: want a UUID such as 019aa000-0000-7000-8000-000000000000")

// ParseID reads a saga's id from UUID text, upper or lower case.
func ParseID(s string) (ID, error) {
	u, err := parseUUID(s)
	return ID(u), err
}

// IsZero reports whether the id is unset.
func (id BatchID) IsZero() bool { return id == BatchID{} }

func (id BatchID) String() string { return formatUUID(id) }

// MarshalText writes the id as UUID text, or nothing when it is unset.
func (id BatchID) MarshalText() ([]byte, error) { return []byte(formatUUID(id)), nil }

// UnmarshalText reads UUID text; ErrID if it is none.
func (id *BatchID) UnmarshalText(b []byte) error {
	u, err := parseUUID(string(b))
	*id = BatchID(u)
	return err
}

func formatUUID(u [16]byte) string {
	var b [36]byte
	hex.Encode(b[:8], u[:4])
	hex.Encode(b[9:13], u[4:6])
	hex.Encode(b[14:18], u[6:8])
	hex.Encode(b[19:23], u[8:10])
	hex.Encode(b[24:], u[10:])
	b[8], b[13], b[18], b[23] = '-', '-', '-', '-'
	return string(b[:])
}

func parseUUID(s string) (u [16]byte, err error) {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return u, ErrID
	}
	digits := s[:8] + s[9:13] + s[14:18] + s[19:23] + s[24:]
	if _, err := hex.Decode(u[:], []byte(digits)); err != nil {
		return [16]byte{}, ErrID
	}
	return u, nil
}
