package stack

import (
	"context"
	"sync"

	"github.com/skaldhq/skald/participants"
	"github.com/skaldhq/skald/participants/kafka"
	"github.com/skaldhq/skald/participants/wire"
)

// Answer runs a participant in the test's own process until the test ends, for answers that a test wants to time. Its barrier is in
// memory.
func (s *Stack) Answer(name string, register func(*participants.Participant)) {
	s.t.Helper()
	transport, err := kafka.New(kafka.Config{Brokers: s.brokers})
	if err != nil {
		s.t.Fatalf("connect participant %s: %v", name, err)
	}
	p := participants.New(name, &participants.Memory{}, participants.Config{Topics: wire.Topics{Prefix: s.prefix + "."}, Concurrency: 512})
	register(p)
	ctx, cancel := context.WithCancel(context.Background())
	if err := transport.EnsureTopics(ctx, 6, p.Topic()); err != nil {
		s.t.Fatalf("make the topic of %s: %v", name, err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		if err := p.Run(ctx, transport); err != nil {
			s.t.Errorf("participant %s: %v", name, err)
		}
	})
	s.t.Cleanup(func() {
		cancel()
		running.Wait()
		if err := transport.Close(); err != nil {
			s.t.Errorf("participant %s: %v", name, err)
		}
	})
}
