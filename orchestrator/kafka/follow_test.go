package kafka

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator"
)

// follow runs a follower; stop ends it and waits.
func (b *testBundle) follow(t *testing.T, group string, handle func(ctx context.Context, value string) error) (stop func()) {
	t.Helper()
	f, err := NewFollower(b.cfg, group)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		_ = f.Run(ctx, func(ctx context.Context, event orchestrator.Record) error { return handle(ctx, string(event.Value)) })
	})
	stop = sync.OnceFunc(func() { cancel(); running.Wait() })
	t.Cleanup(stop)
	return stop
}

// A new group begins with what comes from then on. What was handled is not handled again; what was not is, by whoever is left.
func TestFollower_AtLeastOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	group := b.cfg.Group + "-webhook"
	b.event(t, 0, "before")
	came := make(chan string, 100)
	take := func(_ context.Context, value string) error {
		came <- value
		return nil
	}
	await := func(want string) {
		t.Helper()
		select {
		case got := <-came:
			require.Equal(t, want, got)
		case <-within(t).Done():
			require.Fail(t, "it did not come", want)
		}
	}
	stop := b.follow(t, group, take)
	cfg := b.cfg
	cfg.setDefaults()
	admin, err := sarama.NewClusterAdmin(cfg.Brokers, cfg.client())
	require.NoError(t, err)
	defer admin.Close()
	require.Eventually(t, func() bool { // the group's begin is committed
		list, err := admin.ListConsumerGroupOffsets(group, map[string][]int32{b.cfg.Topics.Events(): {0, 1, 2}})
		if err != nil {
			return false
		}
		for p := range int32(3) {
			if block := list.GetBlock(b.cfg.Topics.Events(), p); block == nil || block.Offset < 0 {
				return false
			}
		}
		return true
	}, patience, 10*time.Millisecond)
	b.event(t, 0, "one")
	await("one")
	stop()

	b.event(t, 0, "two", "three") // while nobody is there
	failed := make(chan struct{}, 100)
	stop = b.follow(t, group, func(ctx context.Context, value string) error {
		if value == "three" {
			failed <- struct{}{}
			return errors.New("the receiver is away")
		}
		return take(ctx, value)
	})
	await("two")
	<-failed
	<-failed // it is tried again
	stop()

	entered := make(chan struct{})
	stop = b.follow(t, group, func(ctx context.Context, value string) error {
		close(entered)
		<-ctx.Done() // dies while it is at it
		return ctx.Err()
	})
	<-entered
	stop()

	b.follow(t, group, take)
	await("three")
	b.event(t, 0, "four")
	await("four")
}
