package kafka

import (
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/cmd/skald/embedded"
	"github.com/skaldhq/skald/orchestrator/brokertest"
	"github.com/skaldhq/skald/participants/wire"
)

// TestBroker runs the suite that the simulated broker passes as well.
func TestBroker(t *testing.T) {
	t.Parallel()
	brokertest.Run(t, func(t *testing.T, own bool) brokertest.Fixture {
		if own {
			return stoppable(t)
		}
		return setup(t).fixture()
	})
}

func (b *testBundle) fixture() brokertest.Fixture {
	return brokertest.Fixture{
		Topics: b.cfg.Topics,
		Keys:   b.keys,
		Open: func(t testing.TB) brokertest.Member {
			return b.open(t, func(c *Config) {
				c.maxAhead = brokertest.MaxAhead
				c.revokeFor = 50 * time.Millisecond
			})
		},
		Append:  func(t testing.TB, records ...wire.Record) { b.send(t, records...) },
		Records: func(t testing.TB, topic string, n int) []wire.Record { return b.read(t, topic, n) },
		Narrow: func(t testing.TB, limit int) string {
			topic, text := b.cfg.Topics.Prefix+"narrow", strconv.Itoa(limit)
			b.createTopic(t, topic, brokertest.Partitions, map[string]*string{"max.message.bytes": &text})
			return topic
		},
		Commit: func(t testing.TB, partition int32, offset int64) { b.commit(t, partition, offset) },
	}
}

// stoppable is an installation on a broker of its own, which keeps what it has while it is stopped.
func stoppable(t *testing.T) brokertest.Fixture {
	data := filepath.Join(t.TempDir(), "data")
	kafka, err := embedded.StartBroker(within(t), embedded.BrokerConfig{DataDir: data})
	require.NoError(t, err)
	addr := kafka.Addrs()[0]
	t.Cleanup(func() { require.NoError(t, kafka.Stop()) })
	b := setup(t, addr)
	f := b.fixture()
	f.Stop = func(t testing.TB) { require.NoError(t, kafka.Stop()) }
	f.Start = func(t testing.TB) {
		kafka, err = embedded.StartBroker(within(t), embedded.BrokerConfig{DataDir: data, Addr: addr})
		require.NoError(t, err)
	}
	return f
}

// read reads a topic from its beginning until it has n records.
func (b *testBundle) read(t testing.TB, topic string, n int) []wire.Record {
	t.Helper()
	list := make([]wire.Record, 0, n)
	b.each(t, topic, n, func(msg *sarama.ConsumerMessage) {
		r := wire.Record{Topic: msg.Topic, Partition: msg.Partition, Offset: msg.Offset, Key: msg.Key, Value: msg.Value}
		for _, h := range msg.Headers {
			r.Headers = append(r.Headers, wire.Header{Key: string(h.Key), Value: h.Value})
		}
		list = append(list, r)
	})
	return list
}
