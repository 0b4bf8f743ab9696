package stored

import (
	"encoding/binary"
	"fmt"
	"time"

	"github.com/skaldhq/skald/orchestrator"
)

// Formats of the acknowledgements of a batch. A value is a chain of blocks, each with its own format byte, because a batch
// that is settled in parts has a block appended each time.
//
//	1 (2026-11): count and microseconds of the first, then per record index, partition, offset and microseconds after the first.
const acksFormat = 1

// EncodeAcks writes one block; times are kept to the microsecond.
func EncodeAcks(acked []orchestrator.Acked) []byte {
	b := append(make([]byte, 0, 16+8*len(acked)), acksFormat)
	b = binary.AppendUvarint(b, uint64(len(acked)))
	if len(acked) == 0 {
		return b
	}
	first := acked[0].At.UnixMicro()
	b = binary.AppendVarint(b, first)
	for _, a := range acked {
		b = binary.AppendUvarint(b, uint64(a.Index))
		b = binary.AppendUvarint(b, uint64(uint32(a.Partition)))
		b = binary.AppendVarint(b, a.Offset)
		b = binary.AppendVarint(b, a.At.UnixMicro()-first)
	}
	return b
}

// DecodeAcks reads a chain of blocks into a map by index. Of a record that was acknowledged twice the first counts.
func DecodeAcks(b []byte) (map[int]orchestrator.Acked, error) {
	acks := map[int]orchestrator.Acked{}
	for len(b) > 0 {
		r := newReader("acknowledgements", b, acksFormat)
		n, first := r.count(), int64(0)
		if n > 0 {
			first = r.varint()
		}
		for range n {
			a := orchestrator.Acked{Index: int(r.uvarint()), Partition: int32(uint32(r.uvarint())), Offset: r.varint()}
			a.At = time.UnixMicro(first + r.varint()).UTC()
			if _, again := acks[a.Index]; !again {
				acks[a.Index] = a
			}
		}
		if r.err != nil {
			return nil, fmt.Errorf("decode acknowledgements: %w", r.err)
		}
		b = r.b
	}
	return acks, nil
}
