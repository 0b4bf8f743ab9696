package kafka

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"
)

func TestEnsure_TenAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	topics := []string{b.cfg.Topics.Commands("orders"), b.cfg.Topics.Commands("payments"), b.cfg.Topics.Replies()}
	missing, err := b.admin.Missing(within(t), topics...)
	require.NoError(t, err)
	require.Equal(t, topics[:2], missing)

	results := make([]Ensured, 10)
	var all sync.WaitGroup
	for i := range results {
		all.Go(func() {
			var err error
			if results[i], err = b.admin.Ensure(within(t), topics...); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	var made []string
	for _, r := range results {
		made = append(made, r.Made...)
		require.Len(t, append(r.Made, r.Found...), 3)
		require.Empty(t, r.Compressed)
	}
	slices.Sort(made)
	require.Equal(t, topics[:2], made, "each is made once, and the one that was there never")

	missing, err = b.admin.Missing(within(t), topics...)
	require.NoError(t, err)
	require.Empty(t, missing)
	require.NoError(t, b.admin.with(within(t), func(admin sarama.ClusterAdmin) error {
		found, err := admin.DescribeTopics(topics)
		require.NoError(t, err)
		for _, topic := range found {
			require.Len(t, topic.Partitions, int(b.cfg.Partitions))
		}
		for topic, want := range map[string]bool{b.cfg.Topics.Replies(): false, b.cfg.Topics.Starts(): false, b.cfg.Topics.Events(): true} {
			require.Equal(t, want, compressed(admin, topic), topic)
		}
		return nil
	}))
}

func TestEnsure_TellsOfACompressedReplyTopic(t *testing.T) {
	t.Parallel()
	b := setup(t)
	cfg := b.cfg
	cfg.Topics.Prefix += "other."
	admin, err := NewAdmin(cfg)
	require.NoError(t, err)
	b.createTopic(t, cfg.Topics.Replies(), 1, nil)
	got, err := admin.Ensure(within(t), admin.Own()...)
	require.NoError(t, err)
	require.Equal(t, Ensured{
		Made:       []string{cfg.Topics.Events(), cfg.Topics.Starts()},
		Found:      []string{cfg.Topics.Replies()},
		Compressed: []string{cfg.Topics.Replies()},
	}, got)
}

func TestEnsure_Fails(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, err := b.admin.Ensure(within(t), "no/topic")
	require.ErrorContains(t, err, "no/topic")

	over, cancel := context.WithCancel(context.Background())
	cancel()
	_, err = b.admin.Ensure(over, b.cfg.Topics.Replies())
	require.ErrorIs(t, err, context.Canceled)

	away, err := NewAdmin(Config{Brokers: []string{"127.0.0.1:1"}})
	require.NoError(t, err)
	_, err = away.Missing(within(t), "x")
	require.Error(t, err)
	_, err = NewAdmin(Config{Partitions: -1, SASL: &SASL{Mechanism: "GSSAPI"}})
	require.ErrorContains(t, err, "brokers")
	require.ErrorContains(t, err, "partitions")
	require.ErrorContains(t, err, "GSSAPI", "all problems at once")
}
