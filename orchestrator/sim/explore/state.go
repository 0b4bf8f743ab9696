package explore

import (
	"encoding/binary"
	"math/bits"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// place says where a message is.
type place uint8

const (
	inFlight     place = iota // on its way
	inOutbox                  // committed, and not published by an engine that died
	opened                    // a participant works on it, with its transaction open
	refused                   // the broker refused it; the engine has yet to learn that
	refusedMaybe              // as refused, after a try whose outcome is unknown
)

const (
	execute uint8 = iota
	compensate
	probe
)

func verbOf(v uint8) saga.Verb {
	return [...]saga.Verb{saga.Execute, saga.Compensate, saga.Probe}[v]
}

func verbNumber(v saga.Verb) uint8 {
	return index([]saga.Verb{saga.Execute, saga.Compensate, saga.Probe}, v)
}

// message is a command, or with an outcome the reply to one.
type message struct {
	place   place
	step    uint8
	verb    uint8
	edition uint8
	attempt uint8 // 2: the newest of several; 1: the only one, or an older one
	outcome uint8 // of codec.outcomes; 0: a command
	code    uint8 // of codec.codes
	value   uint8 // of codec.values
}

func (m message) pack() uint32 {
	return uint32(m.outcome)<<24 | uint32(m.place)<<20 | uint32(m.step)<<18 | uint32(m.verb)<<16 | uint32(m.edition)<<13 |
		uint32(m.attempt)<<11 | uint32(m.code)<<5 | uint32(m.value)
}

func unpack(v uint32) message {
	return message{
		outcome: uint8(v >> 24), place: place(v >> 20 & 15), step: uint8(v >> 18 & 3), verb: uint8(v >> 16 & 3),
		edition: uint8(v >> 13 & 7), attempt: uint8(v >> 11 & 3), code: uint8(v >> 5 & 31), value: uint8(v & 31),
	}
}

// leg is 0 for the way forward, probes too, and 1 for the way back.
func (m message) leg() uint8 {
	if m.verb == compensate {
		return 1
	}
	return 0
}

// The faults that have a budget, in the order of Budget's fields.
const (
	crash = iota
	timeout
	duplicate
	operator
	fail
	beat
	lie
	open
	refuse
	hold
	faults
)

func (b Budget) left() [faults]uint8 {
	return [faults]uint8{b.Crash, b.Timeout, b.Duplicate, b.Operator, b.Fail, b.Beat, b.Lie, b.Open, b.Refuse, b.Hold}
}

const (
	maxMessages = 20
	maxEditions = 4
)

// state is one state of a world. The zero value of what is beyond n means nothing.
type state struct {
	instance uint32
	rows     [maxSteps]uint16 // of the barrier, by step
	done     [maxSteps]uint8  // the ledger: executes that took effect, a bit for each edition
	undone   [maxSteps]uint8  // and compensations
	void     [maxSteps]uint8  // what an outside provider promised never to do
	doubt    uint8            // steps about which somebody lied, by bit
	held     bool
	left     [faults]uint8
	n        uint8
	messages [maxMessages]message
}

func (s *state) add(m message) {
	if s.n == maxMessages {
		panic("more messages in flight than a small world has")
	}
	s.messages[s.n] = m
	s.n++
}

func (s *state) remove(i uint8) {
	s.n--
	s.messages[i] = s.messages[s.n]
}

// canonical sorts the messages: they are a multiset.
func (s *state) canonical() {
	for i := uint8(1); i < s.n; i++ {
		m := s.messages[i]
		j := i
		for ; j > 0 && s.messages[j-1].pack() > m.pack(); j-- {
			s.messages[j] = s.messages[j-1]
		}
		s.messages[j] = m
	}
}

// append writes the state down.
func (s *state) append(b []byte, steps int) []byte {
	s.canonical()
	b = binary.LittleEndian.AppendUint32(b, s.instance)
	for i := range steps {
		b = binary.LittleEndian.AppendUint16(b, s.rows[i])
		b = append(b, s.done[i]|s.undone[i]<<4, s.void[i])
	}
	b = append(b, s.doubt<<1)
	if s.held {
		b[len(b)-1] |= 1
	}
	for i := 0; i < faults; i += 2 {
		v := s.left[i]
		if i+1 < faults {
			v |= s.left[i+1] << 4
		}
		b = append(b, v)
	}
	for i := range s.n {
		b = binary.LittleEndian.AppendUint32(b, s.messages[i].pack())
	}
	return b
}

// read is the inverse of append.
func (s *state) read(b []byte, steps int) {
	*s = state{instance: binary.LittleEndian.Uint32(b)}
	b = b[4:]
	for i := range steps {
		s.rows[i] = binary.LittleEndian.Uint16(b)
		s.done[i], s.undone[i], s.void[i] = b[2]&15, b[2]>>4, b[3]
		b = b[4:]
	}
	s.held, s.doubt = b[0]&1 != 0, b[0]>>1
	b = b[1:]
	for i := 0; i < faults; i += 2 {
		s.left[i] = b[0] & 15
		if i+1 < faults {
			s.left[i+1] = b[0] >> 4
		}
		b = b[1:]
	}
	for ; len(b) > 0; b = b[4:] {
		s.add(unpack(binary.LittleEndian.Uint32(b)))
	}
}

// digest is a fixed hash of 128 bits.
type digest [2]uint64

func digestOf(b []byte) digest {
	const k0, k1, k2, k3 = 0x9e3779b97f4a7c15, 0xbf58476d1ce4e5b9, 0x94d049bb133111eb, 0xd6e8feb86659fd93
	h0, h1 := uint64(len(b))^k0, uint64(len(b))^k2
	fold := func(a, b uint64) uint64 {
		hi, lo := bits.Mul64(a, b)
		return hi ^ lo
	}
	for len(b) > 0 {
		var w uint64
		if len(b) >= 8 {
			w, b = binary.LittleEndian.Uint64(b), b[8:]
		} else {
			for i, v := range b {
				w |= uint64(v) << (8 * i)
			}
			b = nil
		}
		h0 = fold(h0^w, k1) + k0
		h1 = bits.RotateLeft64(h1^w*k3, 29)*k2 + h0
	}
	h0 = fold(h0^h1, k3)
	h1 = fold(h1^h0>>32, k0|1) ^ h0
	return digest{h0, h1}
}
