package embedded

import (
	"context"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"
)

func saramaConfig() *sarama.Config {
	cfg := sarama.NewConfig()
	cfg.Version = sarama.V3_6_0_0
	cfg.Producer.Return.Successes = true
	cfg.Producer.RequiredAcks = sarama.WaitForAll
	cfg.Metadata.AllowAutoTopicCreation = false
	return cfg
}

func startBroker(t *testing.T, cfg BrokerConfig) *Broker {
	t.Helper()
	b, err := StartBroker(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Stop()) })
	return b
}

func TestStartBroker_KeepsTopicsAndRecordsOverARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := startBroker(t, BrokerConfig{DataDir: dir})
	admin, err := sarama.NewClusterAdmin(b.Addrs(), saramaConfig())
	require.NoError(t, err)
	require.NoError(t, admin.CreateTopic("kept", &sarama.TopicDetail{NumPartitions: 3, ReplicationFactor: -1}, false))
	require.NoError(t, admin.Close())
	producer, err := sarama.NewSyncProducer(b.Addrs(), saramaConfig())
	require.NoError(t, err)
	_, _, err = producer.SendMessage(&sarama.ProducerMessage{Topic: "kept", Partition: 0, Key: sarama.StringEncoder("k"), Value: sarama.StringEncoder("v")})
	require.NoError(t, err)
	require.NoError(t, producer.Close())
	require.NoError(t, b.Stop())
	require.NoError(t, b.Stop(), "a second Stop is harmless")

	again := startBroker(t, BrokerConfig{DataDir: dir})
	client, err := sarama.NewClient(again.Addrs(), saramaConfig())
	require.NoError(t, err)
	defer client.Close()
	partitions, err := client.Partitions("kept")
	require.NoError(t, err)
	require.Len(t, partitions, 3)
	var records int64
	for _, p := range partitions {
		newest, err := client.GetOffset("kept", p, sarama.OffsetNewest)
		require.NoError(t, err)
		records += newest
	}
	require.EqualValues(t, 1, records)
}

func TestStartBroker_MakesNoTopicByItself(t *testing.T) {
	t.Parallel()
	b := startBroker(t, BrokerConfig{})
	client, err := sarama.NewClient(b.Addrs(), saramaConfig())
	require.NoError(t, err)
	defer client.Close()
	_, err = client.Partitions("nobody-made-it")
	require.ErrorIs(t, err, sarama.ErrUnknownTopicOrPartition)
}

func TestStartBroker_AddressAndFolderAreExclusive(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := startBroker(t, BrokerConfig{DataDir: dir})
	_, err := StartBroker(t.Context(), BrokerConfig{Addr: b.Addrs()[0]})
	require.ErrorContains(t, err, b.Addrs()[0])

	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err = StartBroker(ctx, BrokerConfig{DataDir: dir})
	require.ErrorIs(t, err, context.DeadlineExceeded)
}
