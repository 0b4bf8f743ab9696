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
//	2 (2026-11): as 1, with the microseconds from the commit to the first acknowledgement after those of the first.
const (
	acksFormat       = 1
	acksCommitFormat = 2
)

// EncodeAcks writes one block, of records of one batch; times are kept to the microsecond.
func EncodeAcks(acked []orchestrator.Acked) []byte {
	b := append(make([]byte, 0, 24+8*len(acked)), acksFormat)
	b = binary.AppendUvarint(b, uint64(len(acked)))
	if len(acked) == 0 {
		return b
	}
	first := acked[0].At.UnixMicro()
	b = binary.AppendVarint(b, first)
	if at := acked[0].CommittedAt; !at.IsZero() {
		b[0] = acksCommitFormat
		b = binary.AppendVarint(b, first-at.UnixMicro())
	}
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
		format := byte(acksFormat)
		if b[0] == acksCommitFormat {
			format = acksCommitFormat
		}
		r := newReader("acknowledgements", b, format)
		n, first, committed := r.count(4), int64(0), time.Time{}
		if n > 0 {
			first = r.varint()
			if format == acksCommitFormat {
				committed = time.UnixMicro(first - r.varint()).UTC()
			}
		}
		for range n {
			a := orchestrator.Acked{Index: int(r.uvarint()), Partition: int32(uint32(r.uvarint())), Offset: r.varint(), CommittedAt: committed}
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
