package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/IBM/sarama"
)

// LagReader answers whether a participant's consumer group has reached a command. What it answers is up to its age old; a
// group only moves on, so "reached" is never wrong, and "not reached" may be out of date. It is safe for concurrent use.
type LagReader struct {
	admin *Admin
	age   time.Duration

	mu     sync.Mutex // guards groups
	groups map[string]*groupOffsets
}

// groupOffsets are the next offsets that a group will read, by partition.
type groupOffsets struct {
	mu   sync.Mutex // held while they are read, so that they are read once
	at   time.Time
	next map[int32]int64
	err  error
}

// NewLagReader returns a reader that asks the broker about a group at most once per age; 0: 2 s.
func NewLagReader(admin *Admin, age time.Duration) *LagReader {
	setDefault(&age, 2*time.Second)
	return &LagReader{admin: admin, age: age, groups: map[string]*groupOffsets{}}
}

// Reached reports whether the participant's group has committed an offset beyond the command at partition and offset.
func (r *LagReader) Reached(ctx context.Context, participant string, partition int32, offset int64) (bool, error) {
	next, err := r.Offsets(ctx, participant)
	if err != nil {
		return false, err
	}
	return next[partition] > offset, nil
}

// Offsets are the committed offsets of the participant's group on its command topic, by partition: the next to be read.
// Partitions without one are left out. An error is remembered as long as an answer.
func (r *LagReader) Offsets(ctx context.Context, participant string) (map[int32]int64, error) {
	r.mu.Lock()
	g := r.groups[participant]
	if g == nil {
		g = &groupOffsets{}
		r.groups[participant] = g
	}
	r.mu.Unlock()

	g.mu.Lock()
	defer g.mu.Unlock()
	if g.at.IsZero() || time.Since(g.at) >= r.age {
		next, err := r.read(ctx, participant)
		if ctx.Err() != nil {
			return nil, err // says nothing of the group
		}
		g.at, g.next, g.err = time.Now(), next, err
	}
	return maps.Clone(g.next), g.err
}

func (r *LagReader) read(ctx context.Context, participant string) (map[int32]int64, error) {
	topic := r.admin.cfg.Topics.Commands(participant)
	next := map[int32]int64{}
	err := r.admin.with(ctx, func(admin sarama.ClusterAdmin) error {
		found, err := admin.DescribeTopics([]string{topic})
		if err != nil {
			return err
		}
		var partitions []int32
		for _, t := range found {
			if !errors.Is(t.Err, sarama.ErrNoError) {
				return t.Err
			}
			for _, p := range t.Partitions {
				partitions = append(partitions, p.ID)
			}
		}
		response, err := admin.ListConsumerGroupOffsets(participant, map[string][]int32{topic: partitions})
		if err != nil {
			return err
		}
		for _, p := range partitions {
			if block := response.GetBlock(topic, p); block != nil && block.Offset >= 0 {
				next[p] = block.Offset
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the offsets of group %s: %w", participant, err)
	}
	return next, nil
}
