package stored

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sync"

	"github.com/klauspost/compress/s2"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// Formats of the records of an outbox row.
//
//	1 (2026-11): count, then per record kind, topic, key, value, headers, and of a command saga, step, verb, edition, attempt.
//	2 (2026-11): format 1 without its format byte, as one S2 block. Headers repeat from record to record, and every byte of an
//	outbox row is written to the WAL.
const (
	recordsPlain  = 1
	recordsFormat = 2
)

// leastRecord is what a record takes of which every part is empty: nine numbers of a byte, and the saga's id.
const leastRecord = 9 + 16

// maxRecords bounds what a block may unpack to; a batch is about 4 MiB at most, by Config.BatchBytes.
const maxRecords = 1 << 30

// The kinds and verbs by their stored number; never reordered.
func recordKinds() []orchestrator.RecordKind {
	return []orchestrator.RecordKind{orchestrator.RecordCommand, orchestrator.RecordEvent}
}

func verbs() []saga.Verb { return []saga.Verb{"", saga.Execute, saga.Compensate, saga.Probe} }

// plains are the buffers in which rows are written before they are compressed.
var plains = sync.Pool{New: func() any { return new([]byte) }}

// EncodeRecords writes the records of an outbox row.
func EncodeRecords(records []orchestrator.Record) ([]byte, error) {
	size := 8
	for i := range records {
		r := &records[i]
		size += 96 + len(r.Topic) + len(r.Key) + len(r.Value)
		for _, h := range r.Headers {
			size += 4 + len(h.Key) + len(h.Value)
		}
	}
	plain := plains.Get().(*[]byte)
	defer plains.Put(plain)
	b := binary.AppendUvarint(slices.Grow((*plain)[:0], size), uint64(len(records)))
	for i := range records {
		r := &records[i]
		kind, verb := indexOf(recordKinds(), r.Kind), indexOf(verbs(), r.Verb)
		if kind < 0 || verb < 0 {
			return nil, fmt.Errorf("encode outbox record %d: no such kind %q or verb %q", i, r.Kind, r.Verb)
		}
		b = append(b, byte(kind))
		b = appendString(b, r.Topic)
		b = appendBytes(b, r.Key)
		b = appendBytes(b, r.Value)
		b = appendHeaders(b, r.Headers)
		b = append(b, r.Saga[:]...)
		b = appendString(b, r.Step)
		b = append(b, byte(verb))
		b = binary.AppendUvarint(b, uint64(r.Edition))
		b = binary.AppendUvarint(b, uint64(r.Attempt))
	}
	*plain = b
	out := make([]byte, 1+s2.MaxEncodedLen(len(b)))
	out[0] = recordsFormat
	return out[:1+len(s2.Encode(out[1:], b))], nil
}

// unpackRecords answers format 1.
func unpackRecords(b []byte) ([]byte, error) {
	n, err := s2.DecodedLen(b[1:])
	if err != nil || n > maxRecords {
		return nil, fmt.Errorf("%w: outbox records: a block of %d bytes", ErrFormat, n)
	}
	plain := make([]byte, 1+n)
	if _, err := s2.Decode(plain[1:], b[1:]); err != nil {
		return nil, fmt.Errorf("%w: outbox records: %w", ErrFormat, err)
	}
	plain[0] = recordsPlain
	return plain, nil
}

// DecodeRecords reads what EncodeRecords wrote. The records may share memory with b.
func DecodeRecords(b []byte) ([]orchestrator.Record, error) {
	if len(b) > 0 && b[0] == recordsFormat {
		var err error
		if b, err = unpackRecords(b); err != nil {
			return nil, err
		}
	}
	r := newReader("outbox records", b, recordsPlain)
	records := make([]orchestrator.Record, r.count(leastRecord))
	for i := range records {
		rec := &records[i]
		kind := r.uvarint()
		rec.Topic, rec.Key, rec.Value = r.string(), r.bytes(), r.bytes()
		rec.Headers = r.headers()
		rec.Saga, rec.Step = r.id(), r.string()
		verb := r.uvarint()
		rec.Edition, rec.Attempt = int(r.uvarint()), int(r.uvarint())
		if kind >= uint64(len(recordKinds())) || verb >= uint64(len(verbs())) {
			return nil, fmt.Errorf("%w: outbox record %d: kind %d, verb %d", ErrFormat, i, kind, verb)
		}
		rec.Kind, rec.Verb = recordKinds()[kind], verbs()[verb]
		if r.err != nil {
			return nil, r.err
		}
	}
	return records, r.end()
}

// Formats of a record's headers alone.
//
//	1 (2026-11): count, then name and value of each.
const headersFormat = 1

// EncodeHeaders writes the headers of a quarantined record.
func EncodeHeaders(headers []orchestrator.Header) []byte {
	return appendHeaders([]byte{headersFormat}, headers)
}

// DecodeHeaders reads what EncodeHeaders wrote. The values share memory with b.
func DecodeHeaders(b []byte) ([]orchestrator.Header, error) {
	r := newReader("headers", b, headersFormat)
	headers := r.headers()
	return headers, r.end()
}

func appendHeaders(b []byte, headers []orchestrator.Header) []byte {
	b = binary.AppendUvarint(b, uint64(len(headers)))
	for _, h := range headers {
		b = appendString(b, h.Key)
		b = appendBytes(b, h.Value)
	}
	return b
}

// headers answers nil for none.
func (r *reader) headers() []orchestrator.Header {
	n := r.count(2) // name and value, both empty
	if n == 0 {
		return nil
	}
	headers := make([]orchestrator.Header, n)
	for i := range headers {
		headers[i] = orchestrator.Header{Key: r.string(), Value: r.bytes()}
	}
	return headers
}

func indexOf[T comparable](list []T, v T) int {
	for i := range list {
		if list[i] == v {
			return i
		}
	}
	return -1
}

// OutboxRow is the part of a batch's encoded records that is left.
func OutboxRow(batch saga.BatchID, records []byte, left []int32, tried bool) (orchestrator.OutboxRow, error) {
	all, err := DecodeRecords(records)
	if err != nil {
		return orchestrator.OutboxRow{}, fmt.Errorf("outbox row %s: %w", batch, err)
	}
	row := orchestrator.OutboxRow{Batch: batch, MaybeSent: tried}
	for _, index := range left {
		if int(index) >= len(all) {
			return row, fmt.Errorf("%w: outbox row %s has no record %d", ErrFormat, batch, index)
		}
		row.Indexes = append(row.Indexes, int(index))
		row.Records = append(row.Records, all[index])
	}
	return row, nil
}
