package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/IBM/sarama"
	"golang.org/x/sync/errgroup"

	"github.com/skaldhq/skald/orchestrator"
)

// Follower reads skald.events as a member of a consumer group of its own, so that each event is handled by one replica, at least
// once. A group that is new begins with what comes from then on.
type Follower struct {
	cfg Config
}

// NewFollower returns a Follower under the group's name; nothing is connected before it runs. It needs no more of cfg than Brokers.
func NewFollower(cfg Config, group string) (*Follower, error) {
	cfg.Group = group
	cfg.setDefaults()
	cfg.InstanceID = "" // of the reply group
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("prepare to follow events: %w", err)
	}
	return &Follower{cfg: cfg}, nil
}

// Run calls handle with each event, in order per partition, until ctx ends; it then returns nil. Partitions are handled side by
// side. An event counts as handled once handle has returned nil; until then it is read again, by this or another member. The
// context of a call ends when the partition is taken away.
func (f *Follower) Run(ctx context.Context, handle func(ctx context.Context, event orchestrator.Record) error) error {
	for tries := 1; ctx.Err() == nil; tries++ {
		began := time.Now()
		err := f.member(ctx, handle)
		if ctx.Err() != nil {
			return nil
		}
		if time.Since(began) > time.Minute {
			tries = 1
		}
		f.cfg.Log.WarnContext(ctx, "Following events failed and is tried again", "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(backoff(tries, 100*time.Millisecond, 5*time.Second)):
		}
	}
	return nil
}

// member is one life of a group member: it ends when ctx does, or with the error that ended it.
func (f *Follower) member(ctx context.Context, handle func(context.Context, orchestrator.Record) error) (err error) {
	client, err := sarama.NewClient(f.cfg.Brokers, f.cfg.consumer())
	if err != nil {
		return fmt.Errorf("connect the follower: %w", err)
	}
	group, err := sarama.NewConsumerGroupFromClient(f.cfg.Group, client)
	if err != nil {
		return errors.Join(fmt.Errorf("make the follower's group: %w", err), client.Close())
	}
	var logged errgroup.Group
	logged.Go(func() error {
		for err := range group.Errors() {
			f.cfg.Log.Warn("Following events is tried again", "error", err)
		}
		return nil
	})
	h := &follower{client: client, handle: handle}
	for ctx.Err() == nil && err == nil {
		err = errors.Join(group.Consume(ctx, []string{f.cfg.Topics.Events()}, h), h.failed())
	}
	err = errors.Join(err, group.Close())
	_ = logged.Wait() // it has no error to give
	return errors.Join(err, client.Close())
}

// follower is told by sarama what partitions the member has.
type follower struct {
	client sarama.Client
	handle func(context.Context, orchestrator.Record) error

	mu  sync.Mutex // guards err
	err error      // of handle, since failed was asked last
}

var _ sarama.ConsumerGroupHandler = (*follower)(nil)

// Setup begins a generation.
func (h *follower) Setup(sarama.ConsumerGroupSession) error { return nil }

// Cleanup ends a generation.
func (h *follower) Cleanup(sarama.ConsumerGroupSession) error { return nil }

// ConsumeClaim handles one partition until it is taken away, or handle fails.
func (h *follower) ConsumeClaim(session sarama.ConsumerGroupSession, from sarama.ConsumerGroupClaim) error {
	first := from.InitialOffset()
	if first < 0 { // nothing is committed: the group is new, and begins here, for good
		end, err := h.client.GetOffset(from.Topic(), from.Partition(), sarama.OffsetNewest)
		if err != nil {
			h.fail(fmt.Errorf("look for the end of %s, partition %d: %w", from.Topic(), from.Partition(), err))
			return nil
		}
		session.MarkOffset(from.Topic(), from.Partition(), end, "")
		session.Commit()
		first = end
	}
	ctx := session.Context()
	for {
		select {
		case msg, ok := <-from.Messages():
			if !ok {
				return nil
			}
			if msg.Offset < first {
				continue
			}
			if err := h.handle(ctx, eventRecord(msg)); err != nil {
				if ctx.Err() == nil {
					h.fail(fmt.Errorf("handle event %d of %s, partition %d: %w", msg.Offset, msg.Topic, msg.Partition, err))
				}
				return nil // ends the session; the next begins at what was marked
			}
			session.MarkMessage(msg, "")
		case <-ctx.Done():
			return nil
		}
	}
}

func (h *follower) fail(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.err = errors.Join(h.err, err)
}

func (h *follower) failed() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	err := h.err
	h.err = nil
	return err
}
