package saga

import (
	"encoding/binary"
	"encoding/json"
	"maps"
	"slices"
	"time"
)

// codec writes or reads a message in the wire format of Protocol Buffers. A type lists its fields once, in the order of their
// numbers, for both directions: writing appends what is not zero, reading fills what is there. So a field cannot be written in
// one way and read in another, and nothing is looked up by reflection.
type codec struct {
	b       []byte // written so far, or left to read after the key at hand
	reading bool
	field   uint64 // reading: the number of the field at hand; 0: there is none
	wire    uint64 // reading: how it is written
	err     error  // reading: what is wrong with the bytes; nothing is read after it

	// Reading: the bytes once more, for texts to be parts of, and where b ends in them.
	all  string
	upTo int

	input json.RawMessage // of the instance; a command's payload that is the same is not kept again
}

// How a field is written.
const (
	wireVarint  = 0
	wireFixed64 = 1
	wireBytes   = 2
)

func (c *codec) key(field, wire uint64) { c.b = binary.AppendUvarint(c.b, field<<3|wire) }

// advance reads the next key.
func (c *codec) advance() {
	c.field = 0
	if c.err != nil || len(c.b) == 0 {
		return
	}
	key := c.uvarint()
	if c.field, c.wire = key>>3, key&7; c.field == 0 {
		c.err = ErrFormat
	}
}

// at reports whether the field at hand is the one that is asked for, passing over older ones that nobody knows any more.
func (c *codec) at(field, wire uint64) bool {
	c.skip(field)
	if c.err != nil || c.field != field {
		return false
	}
	if c.wire != wire {
		c.fail()
		return false
	}
	return true
}

// skip passes over the fields before a number.
func (c *codec) skip(field uint64) {
	for c.err == nil && c.field != 0 && c.field < field {
		switch c.wire {
		case wireVarint:
			c.uvarint()
		case wireFixed64:
			c.fixed64()
		case wireBytes:
			c.chunk()
		default:
			c.fail()
		}
		c.advance()
	}
}

func (c *codec) fail() { c.err, c.field, c.b = ErrFormat, 0, nil }

func (c *codec) uvarint() uint64 {
	v, n := binary.Uvarint(c.b)
	if n <= 0 {
		c.fail()
		return 0
	}
	c.b = c.b[n:]
	return v
}

func (c *codec) fixed64() uint64 {
	if len(c.b) < 8 {
		c.fail()
		return 0
	}
	v := binary.LittleEndian.Uint64(c.b)
	c.b = c.b[8:]
	return v
}

func (c *codec) chunk() []byte {
	n := c.uvarint()
	if n > uint64(len(c.b)) {
		c.fail()
		return nil
	}
	v := c.b[:n:n]
	c.b = c.b[n:]
	return v
}

// text is a field of bytes in UTF-8; empty: absent.
func text[T ~string](c *codec, field uint64, v *T) {
	if c.reading {
		if c.at(field, wireBytes) {
			n := len(c.chunk())
			end := c.upTo - len(c.b)
			*v = T(c.all[end-n : end])
			c.advance()
		}
	} else if *v != "" {
		c.key(field, wireBytes)
		c.b = append(binary.AppendUvarint(c.b, uint64(len(*v))), *v...)
	}
}

// payload is a field of bytes that nobody looks into; none: absent.
func (c *codec) payload(field uint64, v *json.RawMessage) {
	if c.reading {
		if c.at(field, wireBytes) {
			*v = c.chunk()
			c.advance()
		}
	} else if len(*v) > 0 {
		c.key(field, wireBytes)
		c.b = append(binary.AppendUvarint(c.b, uint64(len(*v))), *v...)
	}
}

// uuid is a field of 16 bytes; zero: absent.
func uuid[T ~[16]byte](c *codec, field uint64, v *T) {
	if c.reading {
		if c.at(field, wireBytes) {
			b := c.chunk()
			if len(b) != 16 {
				c.fail()
				return
			}
			*v = T(b)
			c.advance()
		}
	} else if *v != (T{}) {
		c.key(field, wireBytes)
		c.b = append(append(c.b, 16), (*v)[:]...)
	}
}

// number is a field of a signed number (sint64); zero: absent.
func number[T ~int | ~int32 | ~int64](c *codec, field uint64, v *T) {
	if c.reading {
		if c.at(field, wireVarint) {
			u := c.uvarint()
			*v = T(int64(u>>1) ^ -int64(u&1))
			c.advance()
		}
	} else if *v != 0 {
		c.key(field, wireVarint)
		c.b = binary.AppendVarint(c.b, int64(*v))
	}
}

// flag is a field of a bool; false: absent.
func (c *codec) flag(field uint64, v *bool) {
	if c.reading {
		if c.at(field, wireVarint) {
			*v = c.uvarint() != 0
			c.advance()
		}
	} else if *v {
		c.key(field, wireVarint)
		c.b = append(c.b, 1)
	}
}

// moment is a field of a time in UTC, of the years 1678 to 2262; zero: absent.
func (c *codec) moment(field uint64, v *time.Time) {
	if c.reading {
		if c.at(field, wireFixed64) {
			*v = time.Unix(0, int64(c.fixed64())).UTC()
			c.advance()
		}
	} else if !v.IsZero() {
		c.key(field, wireFixed64)
		c.b = binary.LittleEndian.AppendUint64(c.b, uint64(v.UnixNano()))
	}
}

// message writes or reads a message within the message.
func (c *codec) message(field uint64, fields func(*codec)) {
	if c.reading {
		chunk := c.chunk()
		outer := *c
		c.b, c.upTo = chunk, c.upTo-len(c.b)
		c.advance()
		fields(c)
		c.skip(1 << 30)
		failed := c.err != nil
		*c = outer
		if failed {
			c.fail()
			return
		}
		c.advance()
		return
	}
	c.key(field, wireBytes)
	start := len(c.b) + 1
	c.b = append(c.b, 0) // its length, mostly of one byte
	fields(c)
	n := uint64(len(c.b) - start)
	if n < 0x80 {
		c.b[start-1] = byte(n)
		return
	}
	var length [binary.MaxVarintLen64]byte
	c.b = slices.Replace(c.b, start-1, start, length[:binary.PutUvarint(length[:], n)]...)
}

// fielder is a type that lists its fields.
type fielder[T any] interface {
	*T
	fields(c *codec)
}

// inline is a field of a message that is always there; without content: absent.
func (c *codec) inline(field uint64, fields func(*codec)) {
	if c.reading && !c.at(field, wireBytes) {
		return
	}
	before := len(c.b)
	c.message(field, fields)
	if !c.reading && c.b[len(c.b)-1] == 0 && len(c.b)-before <= 3 { // a key of one or two bytes, and the length: nothing
		c.b = c.b[:before]
	}
}

// pointer is a field of a message; nil: absent.
func pointer[T any, P fielder[T]](c *codec, field uint64, v **T) {
	if c.reading && c.at(field, wireBytes) {
		*v = new(T)
		c.message(field, P(*v).fields)
	} else if !c.reading && *v != nil {
		c.message(field, P(*v).fields)
	}
}

// list is a repeated field of messages.
func list[T any, P fielder[T]](c *codec, field uint64, v *[]T) {
	if !c.reading {
		for i := range *v {
			c.message(field, P(&(*v)[i]).fields)
		}
		return
	}
	for c.at(field, wireBytes) {
		if len(*v) == cap(*v) {
			*v = slices.Grow(*v, c.count())
		}
		*v = append(*v, *new(T))
		c.message(field, P(&(*v)[len(*v)-1]).fields)
	}
}

// count is how many fields like the one at hand, of bytes, stand here one after the other; at least 1, and no more than there are bytes.
func (c *codec) count() int {
	ahead := codec{b: c.b, reading: true}
	n := 0
	for ahead.field, ahead.wire = c.field, c.wire; ahead.err == nil && ahead.field == c.field && ahead.wire == wireBytes; n++ {
		ahead.chunk()
		ahead.advance()
	}
	return n
}

// numbers is a repeated field of signed numbers, packed; none: absent.
func (c *codec) numbers(field uint64, v *[]int64) {
	if !c.reading && len(*v) > 0 {
		c.message(field, func(c *codec) {
			for _, n := range *v {
				c.b = binary.AppendVarint(c.b, n)
			}
		})
	} else if c.reading && c.at(field, wireBytes) {
		for b := c.chunk(); len(b) > 0; {
			n, size := binary.Varint(b)
			if size <= 0 {
				c.fail()
				return
			}
			*v, b = append(*v, n), b[size:]
		}
		c.advance()
	}
}

// label is one entry of a map.
type label struct{ name, value string }

func (l *label) fields(c *codec) {
	text(c, 1, &l.name)
	text(c, 2, &l.value)
}

// labels is a field of a map, written in the order of its names; none: absent.
func (c *codec) labels(field uint64, v *map[string]string) {
	var entries []label
	if !c.reading {
		for _, name := range slices.Sorted(maps.Keys(*v)) {
			entries = append(entries, label{name, (*v)[name]})
		}
	}
	list(c, field, &entries)
	if c.reading && len(entries) > 0 {
		*v = make(map[string]string, len(entries))
		for _, l := range entries {
			(*v)[l.name] = l.value
		}
	}
}
