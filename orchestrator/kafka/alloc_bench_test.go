//go:build !race

package kafka

import (
	"testing"
	"time"

	"github.com/IBM/sarama"

	"github.com/skaldhq/skald/orchestrator/internal/allocs"
	"github.com/skaldhq/skald/orchestrator/saga"
	"github.com/skaldhq/skald/participants/wire"
)

// hotCases are what each step takes on the way to Kafka and back.
func hotCases(tb testing.TB) []allocs.Case {
	codec := NewCodec(wire.Topics{}, "test", testKeys(tb))
	at := time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)
	in := &saga.Instance{ID: saga.NewID(at, 7, 9), Tenant: "default", Saga: "order-placement", Version: 1, Key: "A-1001"}
	cmd := saga.Command{Step: "one", Verb: saga.Execute, Participant: "payments", Name: "Charge.v1", Attempt: 1, ExpiresAt: at.Add(time.Minute), Version: 1, Payload: []byte(`{"amount_cents":4200}`)}
	record := codec.Command(in, cmd, at)
	sent := wire.Record{Topic: record.Topic, Key: record.Key, Value: record.Value, Headers: make([]wire.Header, len(record.Headers))}
	for i, h := range record.Headers {
		sent.Headers[i] = wire.Header(h)
	}
	asked, err := wire.DecodeCommand(sent)
	if err != nil {
		tb.Fatal(err)
	}
	reply := wire.ReplyTo(&asked, wire.RandomID(), at)
	reply.Outcome, reply.Value = wire.Succeeded, []byte(`{"ok":true}`)
	answer := reply.Record("skald.replies")
	received := &sarama.ConsumerMessage{Topic: answer.Topic, Key: answer.Key, Value: answer.Value}
	for _, h := range answer.Headers {
		received.Headers = append(received.Headers, &sarama.RecordHeader{Key: []byte(h.Key), Value: h.Value})
	}
	if d := codec.Decode(received); d.Poison != nil {
		tb.Fatal(d.Poison.Message)
	}
	return []allocs.Case{
		{Name: "Codec/command", Measured: 21, Limit: 22, Run: func() { codec.Command(in, cmd, at) }},
		{Name: "Codec/decode", Measured: 32, Limit: 33, Run: func() { codec.Decode(received) }},
		{Name: "Message", Measured: 2, Limit: 2, Run: func() { message(&record) }},
	}
}

func TestAllocs(t *testing.T) { allocs.Check(t, hotCases(t)) }

func BenchmarkHot(b *testing.B) { allocs.Benchmark(b, hotCases(b)) }
