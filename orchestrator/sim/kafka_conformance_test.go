package sim

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/brokertest"
	engine "github.com/skaldhq/skald/orchestrator/kafka"
	"github.com/skaldhq/skald/participants/wire"
)

// TestBroker: without faults the simulated broker does what the adapter does on Kafka.
func TestBroker(t *testing.T) {
	t.Parallel()
	brokertest.Run(t, func(t *testing.T, _ bool) brokertest.Fixture { return newCalmKafka(t).fixture() })
}

// calmKafka is a broker in a world without faults, engines and people; whoever calls moves the time.
type calmKafka struct {
	w *world
	k *kafka
}

func newCalmKafka(t testing.TB) *calmKafka {
	w := newWorld(Options{Seed: 1, Calm: true})
	w.kafka.ring = brokertest.Keys(t)
	w.kafka.codec = engine.NewCodec(wire.Topics{}, "sim", w.kafka.ring)
	w.kafka.group.maxAhead = brokertest.MaxAhead
	return &calmKafka{w, w.kafka}
}

func (c *calmKafka) fixture() brokertest.Fixture {
	return brokertest.Fixture{
		Keys: c.k.ring,
		Open: func(testing.TB) brokertest.Member { return c.open() },
		Append: func(_ testing.TB, records ...wire.Record) {
			for _, r := range records {
				c.k.append(r, "")
			}
		},
		Records: func(t testing.TB, topic string, n int) []wire.Record {
			var list []wire.Record
			for _, p := range c.k.topic(topic).partitions {
				for _, e := range p.entries {
					list = append(list, e.record)
				}
			}
			require.GreaterOrEqual(t, len(list), n, "records are missing")
			return list
		},
		Narrow: func(_ testing.TB, limit int) string {
			c.k.topic("narrow").limit = limit
			return "narrow"
		},
		Commit: func(_ testing.TB, partition int32, offset int64) { c.k.group.offsets[partition] = offset },
		Stop:   func(testing.TB) { c.k.away = c.w.now.Add(time.Hour) },
		Start:  func(testing.TB) { c.k.away = c.w.now },
	}
}

// calmMember is a member of the group without an engine: each call is a worker of its own.
type calmMember struct {
	*calmKafka
	r *replica
	b *replicaBroker
}

func (c *calmKafka) open() *calmMember {
	r := &replica{w: c.w, name: "member", life: 1}
	m := &calmMember{c, r, c.k.broker(r)}
	c.k.group.join(r)
	return m
}

// call runs the world until do has returned.
func (m *calmMember) call(ctx context.Context, do func()) {
	done := false
	t := m.w.spawn(m.r, ctx, orchestrator.Worker{Name: "call", Run: func(context.Context) {
		do()
		done = true
		m.w.wait(m.w.current, call{until: m.w.now.Add(time.Hour)})
	}})
	for !done && m.w.step(m.w.clock+int64(time.Hour)) {
	}
	m.w.end(t)
}

func (m *calmMember) Publish(ctx context.Context, records []orchestrator.Record) (out []orchestrator.Published) {
	m.call(ctx, func() { out = m.b.Publish(ctx, records) })
	return out
}

func (m *calmMember) Fetch(ctx context.Context) (out []orchestrator.Delivery, err error) {
	m.call(ctx, func() { out, err = m.b.Fetch(ctx) })
	return out, err
}

func (m *calmMember) Mark(deliveries []orchestrator.Delivery) {
	m.call(context.Background(), func() { m.b.Mark(deliveries) })
}

func (m *calmMember) Assigned() int { return len(m.b.claims()) }

func (m *calmMember) Close(context.Context) error {
	m.k.group.leave(m.r)
	return nil
}
