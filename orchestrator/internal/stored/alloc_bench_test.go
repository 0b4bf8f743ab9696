//go:build !race

package stored

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/internal/allocs"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// hotCases are the formats that every transaction writes or reads, for a batch of 64 commands.
func hotCases(tb testing.TB) []allocs.Case {
	records := make([]orchestrator.Record, 64)
	acked := make([]orchestrator.Acked, len(records))
	for i := range records {
		id := saga.NewID(time.UnixMilli(1790000000000), uint16(i), 9)
		records[i] = orchestrator.Record{
			Kind: orchestrator.RecordCommand, Topic: "bench.commands", Key: []byte(id.String()), Value: []byte(`{"order_id":"A-1001","amount_cents":4200}`),
			Saga: id, Step: "one", Verb: saga.Execute, Attempt: 1,
		}
		for h := range 16 {
			records[i].Headers = append(records[i].Headers, orchestrator.Header{Key: fmt.Sprintf("ce_header%d", h), Value: []byte("some-header-value")})
		}
		acked[i] = orchestrator.Acked{Index: i, Partition: int32(i % 12), Offset: int64(1000 + i), At: time.UnixMilli(1790000000000)}
	}
	packed, err := EncodeRecords(records)
	require.NoError(tb, err)
	acks := EncodeAcks(acked)
	sample := sampleFacts()
	facts, err := EncodeFacts(sample)
	require.NoError(tb, err)
	return []allocs.Case{
		{Name: "EncodeRecords/64", Measured: 2, Limit: 2, Run: func() { _, _ = EncodeRecords(records) }},
		{Name: "DecodeRecords/64", Measured: 1219, Limit: 1230, Run: func() { _, _ = DecodeRecords(packed) }},
		{Name: "EncodeFacts/2", Measured: 5, Limit: 6, Run: func() { _, _ = EncodeFacts(sample) }},
		{Name: "DecodeFacts/2", Measured: 9, Limit: 10, Run: func() { _, _ = DecodeFacts(facts) }},
		{Name: "EncodeAcks/64", Measured: 1, Limit: 1, Run: func() { _ = EncodeAcks(acked) }},
		{Name: "DecodeAcks/64", Measured: 12, Limit: 13, Run: func() { _, _ = DecodeAcks(acks) }},
	}
}

func TestAllocs(t *testing.T) { allocs.Check(t, hotCases(t)) }

func BenchmarkHot(b *testing.B) { allocs.Benchmark(b, hotCases(b)) }
