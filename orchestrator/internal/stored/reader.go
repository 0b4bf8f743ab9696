package stored

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrFormat says that stored bytes are of no format that this program knows, or are cut short.
var ErrFormat = errors.New("stored bytes are unreadable")

// reader takes values off stored bytes; the first thing missing makes every later answer zero, and err.
type reader struct {
	b   []byte
	err error
}

func newReader(what string, b []byte, format byte) *reader {
	if len(b) == 0 || b[0] != format {
		return &reader{err: fmt.Errorf("%w: %s: no format byte %d", ErrFormat, what, format)}
	}
	return &reader{b: b[1:]}
}

func (r *reader) cut() {
	if r.err == nil {
		r.err = fmt.Errorf("%w: cut short", ErrFormat)
	}
	r.b = nil
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.cut()
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.cut()
		return 0
	}
	r.b = r.b[n:]
	return v
}

// count is a number of things that take at least so many bytes each: more than what is left is a lie, and must not cost memory.
func (r *reader) count(least int) int {
	n := r.uvarint()
	if n > uint64(len(r.b)/least) {
		r.cut()
		return 0
	}
	return int(n)
}

// bytes answers nil for what was nil (see appendBytes).
func (r *reader) bytes() []byte {
	n := r.uvarint()
	if n == 0 {
		return nil
	}
	n--
	if n > uint64(len(r.b)) {
		r.cut()
		return nil
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}

func (r *reader) string() string { return string(r.bytes()) }

func (r *reader) id() (id [16]byte) {
	if len(r.b) < len(id) {
		r.cut()
		return id
	}
	copy(id[:], r.b)
	r.b = r.b[len(id):]
	return id
}

// end is the error so far, or one for bytes left over.
func (r *reader) end() error {
	if r.err == nil && len(r.b) > 0 {
		return fmt.Errorf("%w: %d bytes left over", ErrFormat, len(r.b))
	}
	return r.err
}

// appendBytes writes 0 for nil, else the length plus one and the bytes: a nil value differs from an empty one (a Kafka
// tombstone).
func appendBytes(b, v []byte) []byte {
	if v == nil {
		return append(b, 0)
	}
	b = binary.AppendUvarint(b, uint64(len(v))+1)
	return append(b, v...)
}

func appendString(b []byte, v string) []byte {
	b = binary.AppendUvarint(b, uint64(len(v))+1)
	return append(b, v...)
}
