package kafka

import (
	"context"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator"
)

// silent makes a producer that takes messages and answers when it is told to.
func silent(t *testing.T, s *sender) *deafProducer {
	t.Helper()
	fake := &deafProducer{
		input: make(chan *sarama.ProducerMessage, 100), successes: make(chan *sarama.ProducerMessage), errors: make(chan *sarama.ProducerError),
	}
	p := startProducer(closedClient{}, fake, 100)
	s.open = func() (*producer, error) { return p, nil }
	t.Cleanup(func() {
		close(fake.successes)
		close(fake.errors)
		require.NoError(t, s.close(within(t)))
	})
	return fake
}

// What one producer has in hand, though nobody waits for it any more, must not be overtaken by the other (S7).
func TestPublisher_ProducersDoNotOvertakeEachOther(t *testing.T) {
	t.Parallel()
	cfg := Config{Brokers: []string{"unused"}}
	cfg.setDefaults()
	p := newPublisher(&cfg)
	main, prompt := silent(t, p.main), silent(t, p.prompt)
	// publish is given up as soon as everything is handed over.
	publish := func(n int) {
		before := len(main.input) + len(prompt.input)
		ctx, cancel := context.WithCancel(within(t))
		ended := make(chan []orchestrator.Published)
		go func() { ended <- p.publish(ctx, make([]orchestrator.Record, n)) }()
		require.Eventually(t, func() bool { return len(main.input)+len(prompt.input) == before+n }, patience, time.Millisecond)
		cancel()
		for _, got := range <-ended {
			require.Equal(t, orchestrator.PublishUnknown, got.Outcome)
		}
	}
	settle := func(fake *deafProducer, s *sender) {
		for range len(fake.input) {
			fake.successes <- <-fake.input
		}
		require.Eventually(t, func() bool { return !s.busy() }, patience, time.Millisecond)
	}

	publish(few)
	require.Len(t, prompt.input, few, "a few are sent at once")
	publish(few + 1)
	require.Len(t, prompt.input, 2*few+1, "behind those in hand, even if they are many")
	settle(prompt, p.prompt)

	publish(few + 1)
	require.Len(t, main.input, few+1, "many are gathered")
	publish(1)
	require.Len(t, main.input, few+2, "behind those in hand, even if it is one")
	require.Empty(t, prompt.input)
	settle(main, p.main)

	publish(1)
	require.Len(t, prompt.input, 1)
	settle(prompt, p.prompt)
}
