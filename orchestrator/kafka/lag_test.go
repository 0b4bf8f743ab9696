package kafka

import (
	"context"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator"
)

func TestLagReader(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const participant = "payments"
	b.cfg.Group = b.cfg.Topics.Prefix + participant // the group of the bundle reads as if it were a participant
	topic := b.cfg.Topics.Commands(participant)
	_, err := b.admin.Ensure(within(t), topic)
	require.NoError(t, err)
	lag, cached := NewLagReader(b.admin, time.Nanosecond), NewLagReader(b.admin, time.Hour)
	t.Cleanup(func() { require.NoError(t, lag.Close()) })
	t.Cleanup(func() { require.NoError(t, cached.Close()) })

	member := b.open(t)
	require.Eventually(t, func() bool { return member.Assigned() > 0 }, patience, time.Millisecond)
	group, err := lag.Group(within(t), participant)
	require.NoError(t, err)
	require.Equal(t, 1, group.Members)
	require.Empty(t, group.Next)
	shut(t, member) // there is a group now, and nobody in it

	broker := b.open(t, func(c *Config) { c.Group += "-engine" })
	record := b.record(sagaID(1), 1)
	record.Topic = topic
	sent := broker.Publish(within(t), []orchestrator.Record{record, record})
	require.Equal(t, orchestrator.PublishAcked, sent[1].Outcome)
	b.commitTopic(t, topic, sent[0].Partition, sent[0].Offset+1)
	for _, reader := range []*LagReader{lag, cached} {
		group, err = reader.Group(within(t), participant)
		require.NoError(t, err)
		require.Zero(t, group.Members)
		require.Equal(t, map[int32]int64{sent[0].Partition: sent[1].Offset}, group.Next)
		require.EqualValues(t, 1, group.Lag())
		behind, known := group.Behind(sent[1].Partition, sent[1].Offset)
		require.True(t, known)
		require.Zero(t, behind, "it is the next")
	}
	b.commitTopic(t, topic, sent[0].Partition, sent[1].Offset+1)
	group, err = lag.Group(within(t), participant)
	require.NoError(t, err)
	require.Zero(t, group.Lag())
	group, err = cached.Group(within(t), participant)
	require.NoError(t, err)
	require.EqualValues(t, 1, group.Lag(), "not asked again before its age")
	_, err = lag.Group(within(t), "nobody")
	require.ErrorIs(t, err, sarama.ErrUnknownTopicOrPartition)
	_, err = lag.Group(within(t), participant)
	require.NoError(t, err, "an error ends the connection, and the next look makes another")
}

func TestLagReader_BoundedByItsContext(t *testing.T) {
	t.Parallel()
	b := setup(t)
	lag := NewLagReader(b.admin, time.Hour)
	ended, end := context.WithCancel(t.Context())
	end()
	_, err := lag.Group(ended, "nobody")
	require.ErrorIs(t, err, context.Canceled, "whoever asks does not wait")
	_, err = lag.Group(within(t), "nobody")
	require.ErrorIs(t, err, sarama.ErrUnknownTopicOrPartition, "the look went on")
	require.NoError(t, lag.Close())
	_, err = lag.Group(within(t), "somebody")
	require.ErrorIs(t, err, ErrClosed)
}
