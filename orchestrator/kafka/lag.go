package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/IBM/sarama"

	"github.com/skaldhq/skald/orchestrator"
)

// LagReader tells how far participants' consumer groups have come. It keeps one connection, made when it is first asked and
// anew after an error, and asks about a group at most once per age. It is safe for concurrent use; Close ends it.
type LagReader struct {
	admin *Admin
	age   time.Duration

	mu     sync.Mutex // guards what follows
	groups map[string]*groupLook
	closed bool
	looks  sync.WaitGroup // owned by Close

	turn chan struct{}       // holds one token; who has it may use conn
	conn sarama.ClusterAdmin // nil: not connected
}

var _ orchestrator.Groups = (*LagReader)(nil)

// groupLook is what was read of a group, or is being read.
type groupLook struct {
	at    time.Time
	group orchestrator.Group
	err   error
	done  chan struct{} // closed once it is read; nil: nobody reads
}

// NewLagReader returns a reader that asks the broker about a group at most once per age; 0: 1 s.
func NewLagReader(admin *Admin, age time.Duration) *LagReader {
	setDefault(&age, time.Second)
	r := &LagReader{admin: admin, age: age, groups: map[string]*groupLook{}, turn: make(chan struct{}, 1)}
	r.turn <- struct{}{}
	return r
}

// Group implements orchestrator.Groups. When ctx ends first the look goes on, and serves whoever asks next. An error is
// remembered as long as an answer.
func (r *LagReader) Group(ctx context.Context, participant string) (orchestrator.Group, error) {
	look, done := r.look(participant)
	if done != nil {
		select {
		case <-done:
		case <-ctx.Done():
			return orchestrator.Group{}, fmt.Errorf("look at group %s: %w", participant, ctx.Err())
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return look.group, look.err // whoever reads it shares the maps, and nobody writes them
}

// look finds what is known of a group; where it is too old it is read, and done is closed then.
func (r *LagReader) look(participant string) (look *groupLook, done <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	look = r.groups[participant]
	switch {
	case look == nil:
		look = &groupLook{}
		r.groups[participant] = look
	case look.done != nil:
		return look, look.done
	case time.Since(look.at) < r.age:
		return look, nil
	}
	if r.closed {
		look.err = ErrClosed
		return look, nil
	}
	read := make(chan struct{})
	look.done = read
	r.looks.Go(func() {
		group, err := r.read(participant)
		r.mu.Lock()
		look.at, look.group, look.err, look.done = time.Now(), group, err, nil
		r.mu.Unlock()
		close(read)
	})
	return look, read
}

// Close ends the connection, after the looks that are under way; each takes at most some 10 s.
func (r *LagReader) Close() error {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.looks.Wait()
	if r.conn == nil {
		return nil
	}
	return r.conn.Close()
}

func (r *LagReader) read(participant string) (group orchestrator.Group, err error) {
	<-r.turn
	defer func() { r.turn <- struct{}{} }()
	if r.conn == nil {
		if r.conn, err = sarama.NewClusterAdmin(r.admin.cfg.Brokers, r.admin.cfg.client()); err != nil {
			return group, fmt.Errorf("look at group %s: %w", participant, err)
		}
	}
	topics := r.admin.cfg.Topics
	if group, err = groupOf(r.conn, topics.Prefix+participant, topics.Commands(participant)); err != nil {
		err = fmt.Errorf("look at group %s: %w", participant, errors.Join(err, r.conn.Close()))
		r.conn = nil
	}
	return group, err
}

// groupOf asks for the topic's partitions, the group's offsets and members, and the ends of the partitions. The ends come last, so
// that a group which has read everything is never behind.
func groupOf(admin sarama.ClusterAdmin, name, topic string) (group orchestrator.Group, err error) {
	found, err := admin.DescribeTopics([]string{topic})
	if err != nil {
		return group, err
	}
	var partitions []int32
	ends := map[int32]int64{}
	for _, t := range found {
		if !errors.Is(t.Err, sarama.ErrNoError) {
			return group, t.Err
		}
		for _, p := range t.Partitions {
			partitions = append(partitions, p.ID)
			ends[p.ID] = sarama.OffsetNewest
		}
	}
	offsets, err := admin.ListConsumerGroupOffsets(name, map[string][]int32{topic: partitions})
	if err != nil {
		return group, err
	}
	group.Next, group.End = map[int32]int64{}, map[int32]int64{}
	for _, p := range partitions {
		if block := offsets.GetBlock(topic, p); block != nil && block.Offset >= 0 {
			group.Next[p] = block.Offset
		}
	}
	described, err := admin.DescribeConsumerGroups([]string{name})
	if err != nil {
		return group, err
	}
	for _, d := range described {
		if !errors.Is(d.Err, sarama.ErrNoError) {
			return group, d.Err
		}
		group.Members += len(d.Members)
	}
	results, err := admin.ListOffsets(map[string]map[int32]int64{topic: ends}, nil)
	if err != nil {
		return group, err
	}
	for p, result := range results[topic] {
		if result.Err != nil && !errors.Is(result.Err, sarama.ErrNoError) {
			return group, result.Err
		}
		group.End[p] = result.Offset
	}
	return group, nil
}
