package saga

import (
	"errors"
	"fmt"
)

// Formats of stored bytes. Every value begins with its format byte; a changed encoding gets a new one, a golden file and a
// line here, and the old ones stay readable. A new field takes a new number and needs no new format: readers pass over numbers
// that they do not know.
//
//	1  2026-11-21  JSON; never released, not read any more
//	2  2026-11-21  the wire format of Protocol Buffers, with the field numbers of fields.go; times are nanoseconds since 1970
//	3  2026-11-21  instances: as 2, but a command's payload that is the saga's input is a flag (19 of a leg)
const (
	factFormat     = 2
	instanceFormat = 3
)

// ErrFormat is what the decoders answer to bytes that they cannot read.
var ErrFormat = errors.New("unknown format of stored bytes")

// EncodeInstance is the instance as it is stored. Payloads keep their bytes (S22).
func EncodeInstance(in Instance) ([]byte, error) {
	c := writer(instanceFormat, 1024+len(in.Input))
	in.fields(c)
	return c.b, nil
}

// DecodeInstance reads what EncodeInstance wrote, now or in an older version. The instance does not refer to b.
func DecodeInstance(b []byte) (in Instance, err error) {
	c := reader(b, instanceFormat)
	in.fields(c)
	return in, c.end("an instance")
}

// EncodeFact is the fact as it is stored.
func EncodeFact(f Fact) ([]byte, error) {
	return AppendFact(make([]byte, 0, 256+len(f.Payload)+len(f.Output)), f)
}

// AppendFact appends what EncodeFact answers to b.
func AppendFact(b []byte, f Fact) ([]byte, error) {
	c := &codec{b: append(b, factFormat)}
	f.fields(c)
	return c.b, nil
}

// DecodeFact reads what EncodeFact wrote, now or in an older version. The fact does not refer to b.
func DecodeFact(b []byte) (f Fact, err error) {
	c := reader(b, factFormat)
	f.fields(c)
	return f, c.end("a fact")
}

func writer(format byte, size int) *codec {
	return &codec{b: append(make([]byte, 0, size), format)}
}

// reader reads any format up to the newest.
func reader(b []byte, newest byte) *codec {
	c := &codec{reading: true}
	if len(b) == 0 || b[0] < factFormat || b[0] > newest {
		c.err = ErrFormat
		return c
	}
	c.b = append([]byte(nil), b[1:]...) // one copy: payloads are parts of it
	c.all, c.upTo = string(c.b), len(c.b)
	c.advance()
	return c
}

// end says what went wrong in reading.
func (c *codec) end(what string) error {
	c.skip(1 << 30)
	if c.err != nil {
		return fmt.Errorf("decode %s: %w", what, c.err)
	}
	return nil
}
