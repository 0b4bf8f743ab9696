package saga

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// Formats of stored bytes. Every value begins with its format byte; a changed encoding gets a new one, a golden file and a
// line here, and the old ones stay readable.
//
//	1  2026-11-21  the length of a JSON text, that text without payloads, then each payload after its length
const formatJSON = 1

// ErrFormat is what the decoders answer to bytes that they cannot read.
var ErrFormat = errors.New("unknown format of stored bytes")

// EncodeInstance is the instance as it is stored. Payloads keep their bytes (S22): inside JSON they would be compacted.
func EncodeInstance(in Instance) ([]byte, error) {
	in.Steps = slices.Clone(in.Steps)
	return encode(&in, in.payloads())
}

// DecodeInstance reads what EncodeInstance wrote, now or in an older version.
func DecodeInstance(b []byte) (Instance, error) {
	var in Instance
	rest, err := decode(b, &in)
	if err != nil {
		return in, err
	}
	return in, fill(rest, in.payloads())
}

// EncodeFact is the fact as it is stored.
func EncodeFact(f Fact) ([]byte, error) {
	if f.Start != nil {
		start := *f.Start
		f.Start = &start
	}
	return encode(&f, f.payloads())
}

// DecodeFact reads what EncodeFact wrote, now or in an older version.
func DecodeFact(b []byte) (Fact, error) {
	var f Fact
	rest, err := decode(b, &f)
	if err != nil {
		return f, err
	}
	return f, fill(rest, f.payloads())
}

func (in *Instance) payloads() []*json.RawMessage {
	out := []*json.RawMessage{&in.Input, &in.Output}
	for i := range in.Steps {
		s := &in.Steps[i]
		out = append(out, &s.Output, &s.Forward.Payload, &s.Backward.Payload)
	}
	return out
}

func (f *Fact) payloads() []*json.RawMessage {
	out := []*json.RawMessage{&f.Payload, &f.Output}
	if f.Start != nil {
		out = append(out, &f.Start.Input)
	}
	return out
}

// encode writes v, a copy that it may empty of its payloads.
func encode(v any, payloads []*json.RawMessage) ([]byte, error) {
	size := 0
	raw := make([]json.RawMessage, len(payloads))
	for i, p := range payloads {
		raw[i], *p = *p, nil
		size += len(raw[i]) + 3
	}
	text, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode %T: %w", v, err)
	}
	b := make([]byte, 0, len(text)+size+8)
	b = append(b, formatJSON)
	b = append(binary.AppendUvarint(b, uint64(len(text))), text...)
	for _, p := range raw {
		b = append(binary.AppendUvarint(b, uint64(len(p))), p...)
	}
	return b, nil
}

func decode(b []byte, v any) (rest []byte, err error) {
	if len(b) == 0 || b[0] != formatJSON {
		return nil, fmt.Errorf("decode %T: %w", v, ErrFormat)
	}
	text, rest, err := chunk(b[1:])
	if err != nil {
		return nil, fmt.Errorf("decode %T: %w", v, err)
	}
	if err := json.Unmarshal(text, v); err != nil {
		return nil, fmt.Errorf("decode %T: %w", v, err)
	}
	return rest, nil
}

func fill(b []byte, payloads []*json.RawMessage) error {
	for _, p := range payloads {
		raw, rest, err := chunk(b)
		if err != nil {
			return fmt.Errorf("decode payload: %w", err)
		}
		if len(raw) > 0 {
			*p = slices.Clone(raw)
		}
		b = rest
	}
	return nil
}

func chunk(b []byte) (data, rest []byte, err error) {
	n, w := binary.Uvarint(b)
	if w <= 0 || n > uint64(len(b)-w) {
		return nil, nil, ErrFormat
	}
	return b[w : w+int(n)], b[w+int(n):], nil
}
