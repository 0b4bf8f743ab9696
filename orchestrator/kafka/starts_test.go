package kafka

import (
	"context"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/participants/wire"
)

// openStarts reads starts until the end of the test, if not before.
func (b *testBundle) openStarts(t *testing.T, topics ...string) *Starts {
	t.Helper()
	cfg := b.cfg
	cfg.StartTopics = topics
	s, err := OpenStarts(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { shutStarts(t, s) })
	return s
}

func shutStarts(t *testing.T, s *Starts) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	require.NoError(t, s.Close(ctx))
}

func fetchStarts(t *testing.T, s *Starts, n int) (list []orchestrator.Delivery) {
	t.Helper()
	ctx := within(t)
	for len(list) < n {
		some, err := s.FetchStarts(ctx)
		require.NoError(t, err)
		require.NoError(t, ctx.Err(), "%d of %d starts came", len(list), n)
		list = append(list, some...)
	}
	require.Len(t, list, n)
	return list
}

// Two topics are read beside the replies, byte for byte, and go on behind what was marked (S18).
func TestStarts_ReadTopicsOnFromTheirMarks(t *testing.T) {
	t.Parallel()
	b := setup(t)
	own, other := b.cfg.Topics.Starts(), b.cfg.Topics.Prefix+"orders.starts"
	cfg := b.cfg
	cfg.StartTopics = []string{own, other}
	admin, err := NewAdmin(cfg)
	require.NoError(t, err)
	made, err := admin.Ensure(within(t), admin.Own()...)
	require.NoError(t, err)
	require.Equal(t, []string{other}, made.Made)
	require.NoError(t, admin.with(within(t), func(c sarama.ClusterAdmin) error {
		require.False(t, compressed(c, other), "sizes are checked at the broker, as of replies")
		return nil
	}))
	start := wire.Start{ID: "s-1", Source: "/shop", SagaType: "errand", Value: []byte(`{"a" : 1}`)}
	b.send(t, start.Record(own, []byte("k")), start.Record(other, nil))
	broker, first := b.open(t), b.openStarts(t, own, other)
	got := fetchStarts(t, first, 2)
	topics := map[string]string{}
	for _, d := range got {
		topics[d.Raw.Topic] = string(d.Raw.Key) + string(d.Raw.Value)
		require.Contains(t, d.Raw.Headers, orchestrator.Header{Key: wire.HeaderID, Value: []byte("s-1")})
		require.Nil(t, d.Poison)
	}
	require.Equal(t, map[string]string{own: `k{"a" : 1}`, other: `{"a" : 1}`}, topics)
	broker.Mark(got)
	shutStarts(t, first)
	b.send(t, start.Record(other, []byte("second")))
	second := b.openStarts(t, own, other)
	require.Equal(t, "second", string(fetchStarts(t, second, 1)[0].Raw.Key))
	shutStarts(t, second) // unmarked
	third := b.openStarts(t, own, other)
	require.Equal(t, "second", string(fetchStarts(t, third, 1)[0].Raw.Key))
}

// Whoever has other things to do is not kept waiting for a record.
func TestStarts_FetchDoesNotWaitForLong(t *testing.T) {
	t.Parallel()
	b := setup(t)
	s := b.openStarts(t, b.cfg.Topics.Starts())
	began := time.Now()
	got, err := s.FetchStarts(within(t))
	require.NoError(t, err)
	require.Empty(t, got)
	require.Less(t, time.Since(began), 10*time.Second)
	shutStarts(t, s)
	_, err = s.FetchStarts(within(t))
	require.ErrorIs(t, err, ErrClosed)
}

func TestOpenStarts_Fails(t *testing.T) {
	t.Parallel()
	for why, cfg := range map[string]Config{
		"brokers":            {},
		"at least one topic": {Brokers: []string{"b:1"}, StartTopics: []string{}},
		"is no topic":        {Brokers: []string{"b:1"}, StartTopics: []string{"a b"}},
	} {
		_, err := OpenStarts(cfg)
		require.ErrorContains(t, err, why)
	}
}
