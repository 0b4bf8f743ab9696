package outage

import (
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/participants/wire"
	"github.com/skaldhq/skald/test/stack"
)

// rubbishBench is a site whose reply topic takes records of 10 MB.
type rubbishBench struct {
	*stack.Replica
	site  *site
	ring  *wire.Keyring
	kafka sarama.Client
	admin sarama.ClusterAdmin
	out   sarama.SyncProducer
	turn  int32 // partition
}

func newRubbishBench(t *testing.T) *rubbishBench {
	t.Helper()
	kafka := newBroker(t, map[string]string{"message.max.bytes": "33554432"}).start()
	s := newSite(t, kafka.addr())
	s.participants()
	b := &rubbishBench{site: s, Replica: s.serve("SKALD_REPLY_KEYS=" + ringText).Ready(t), kafka: kafka.connect()}
	registerPatient(t, b.Client)
	registerWaiting(t, b.Client)
	var err error
	b.ring, err = wire.ParseKeyring(ringText)
	require.NoError(t, err)
	b.admin, err = sarama.NewClusterAdminFromClient(b.kafka)
	require.NoError(t, err)
	b.out, err = sarama.NewSyncProducerFromClient(b.kafka)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.out.Close()) })
	b.configure(t, "max.message.bytes", "33554432")
	return b
}

func (b *rubbishBench) configure(t *testing.T, key, value string) {
	t.Helper()
	require.NoError(t, b.admin.IncrementalAlterConfig(sarama.TopicResource, repliesTopic, map[string]sarama.IncrementalAlterConfigsEntry{
		key: {Operation: sarama.IncrementalAlterConfigsOperationSet, Value: &value},
	}, false))
}

func (b *rubbishBench) wait(t *testing.T) (text string, id wire.ID) {
	t.Helper()
	text, err := startWaiting(t.Context(), b.Client)
	require.NoError(t, err)
	id, err = wire.ParseID(text)
	require.NoError(t, err)
	return text, id
}

// next is one partition after the other.
func (b *rubbishBench) next() int32 {
	b.turn = (b.turn + 1) % partitions
	return b.turn
}

// send writes a record and returns where it stands.
func (b *rubbishBench) send(t *testing.T, partition int32, r wire.Record) place {
	t.Helper()
	partition, offset, err := b.out.SendMessage(message(partition, &r))
	require.NoError(t, err)
	return place{partition, offset}
}

func message(partition int32, r *wire.Record) *sarama.ProducerMessage {
	msg := &sarama.ProducerMessage{Topic: repliesTopic, Partition: partition, Timestamp: time.Now()}
	if r.Key != nil {
		msg.Key = sarama.ByteEncoder(r.Key)
	}
	if r.Value != nil {
		msg.Value = sarama.ByteEncoder(r.Value)
	}
	for _, h := range r.Headers {
		msg.Headers = append(msg.Headers, sarama.RecordHeader{Key: []byte(h.Key), Value: h.Value})
	}
	return msg
}

// place is where a record stands.
type place struct {
	partition int32
	offset    int64
}
