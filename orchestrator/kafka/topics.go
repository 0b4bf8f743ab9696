package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/IBM/sarama"

	"github.com/skaldhq/skald/participants/wire"
)

// Admin provisions topics and reads how far groups are. It connects for each call and keeps nothing open, and is safe for
// concurrent use. Contexts are looked at between requests to the broker; each of those takes at most some 10 s.
type Admin struct{ cfg Config }

// NewAdmin returns an Admin; it needs no more of cfg than Brokers.
func NewAdmin(cfg Config) (*Admin, error) {
	cfg.setDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("prepare the Kafka admin: %w", err)
	}
	return &Admin{cfg: cfg}, nil
}

// Ensured says what Ensure did, each list sorted.
type Ensured struct {
	Made  []string
	Found []string // were there already, as they are: their partitions and settings are not touched
	// Compressed are those of Found that the engine reads and whose compression.type is not "uncompressed". The broker then
	// does not check sizes after unpacking, and one hostile batch can stop the reading of its broker's partitions.
	Compressed []string
}

// Own lists the engine's own topics, and those where it answers starts.
func (a *Admin) Own() []string {
	t := a.cfg.Topics
	return slices.Concat([]string{t.Replies(), t.Events()}, a.cfg.StartTopics, a.cfg.AnswerTopics)
}

// Ensure makes the topics that do not exist, with Config.Partitions and Config.Replication, and waits until all have leaders.
// Doing it twice, or at the same time elsewhere, is harmless. On an error, topics made before it stay and are listed.
func (a *Admin) Ensure(ctx context.Context, topics ...string) (Ensured, error) {
	topics = slices.Compact(slices.Sorted(slices.Values(topics)))
	var done Ensured
	for _, topic := range topics {
		if !wire.ValidTopic(topic) {
			return done, fmt.Errorf("ensure topics: %q is no topic", topic)
		}
	}
	err := a.with(ctx, func(admin sarama.ClusterAdmin) error {
		for _, topic := range topics {
			if err := ctx.Err(); err != nil {
				return err
			}
			made, err := a.make(admin, topic)
			if err != nil {
				return fmt.Errorf("make topic %s: %w", topic, err)
			}
			if made {
				done.Made = append(done.Made, topic)
				continue
			}
			done.Found = append(done.Found, topic)
			if a.unpacked(topic) && compressed(admin, topic) {
				done.Compressed = append(done.Compressed, topic)
				a.cfg.Log.Warn("Topic should have compression.type=uncompressed", "topic", topic)
			}
		}
		return awaitLeaders(ctx, admin, topics)
	})
	if err != nil {
		return done, fmt.Errorf("ensure topics: %w", err)
	}
	return done, nil
}

// Missing lists those of topics that do not exist, in their order.
func (a *Admin) Missing(ctx context.Context, topics ...string) ([]string, error) {
	var missing []string
	err := a.with(ctx, func(admin sarama.ClusterAdmin) error {
		found, err := admin.DescribeTopics(topics)
		if err != nil {
			return err
		}
		state := map[string]sarama.KError{}
		for _, t := range found {
			state[t.Name] = t.Err
		}
		for _, topic := range topics {
			err, known := state[topic]
			switch {
			case !known || errors.Is(err, sarama.ErrUnknownTopicOrPartition):
				missing = append(missing, topic)
			case errors.Is(err, sarama.ErrNoError), errors.Is(err, sarama.ErrLeaderNotAvailable):
			default:
				return fmt.Errorf("topic %s: %w", topic, err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look for topics: %w", err)
	}
	return missing, nil
}

func (a *Admin) with(ctx context.Context, do func(sarama.ClusterAdmin) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	admin, err := sarama.NewClusterAdmin(a.cfg.Brokers, a.cfg.client())
	if err != nil {
		return err
	}
	return errors.Join(do(admin), admin.Close())
}

// unpacked reports whether the engine reads the topic, so that the broker must check its sizes after unpacking (T8).
func (a *Admin) unpacked(topic string) bool {
	return topic == a.cfg.Topics.Replies() || slices.Contains(a.cfg.StartTopics, topic)
}

func (a *Admin) make(admin sarama.ClusterAdmin, topic string) (bool, error) {
	detail := &sarama.TopicDetail{NumPartitions: a.cfg.Partitions, ReplicationFactor: a.cfg.Replication}
	if a.unpacked(topic) {
		uncompressed := uncompressed
		detail.ConfigEntries = map[string]*string{compressionType: &uncompressed}
	}
	err := admin.CreateTopic(topic, detail, false)
	if errors.Is(err, sarama.ErrTopicAlreadyExists) {
		return false, nil
	}
	return err == nil, err
}

const (
	compressionType = "compression.type"
	uncompressed    = "uncompressed"
)

// compressed answers false where it may not look.
func compressed(admin sarama.ClusterAdmin, topic string) bool {
	resource := sarama.ConfigResource{Type: sarama.TopicResource, Name: topic, ConfigNames: []string{compressionType}}
	results, err := admin.DescribeConfigs([]*sarama.ConfigResource{&resource}, sarama.DescribeConfigsOptions{})
	return err == nil && slices.ContainsFunc(results, func(r *sarama.ConfigResourceResult) bool {
		return slices.ContainsFunc(r.Configs, func(e sarama.ConfigEntry) bool {
			return e.Name == compressionType && e.Value != uncompressed
		})
	})
}

// awaitLeaders waits until every partition can be written to; a topic is listed some time before.
func awaitLeaders(ctx context.Context, admin sarama.ClusterAdmin, topics []string) error {
	for try := 1; len(topics) > 0; try++ {
		found, err := admin.DescribeTopics(topics)
		if err != nil {
			return err
		}
		ready := len(found) == len(topics) && !slices.ContainsFunc(found, func(t *sarama.TopicMetadata) bool {
			return !errors.Is(t.Err, sarama.ErrNoError) || len(t.Partitions) == 0 ||
				slices.ContainsFunc(t.Partitions, func(p *sarama.PartitionMetadata) bool { return p.Leader < 0 })
		})
		if ready {
			return nil
		}
		select {
		case <-time.After(backoff(try, 20*time.Millisecond, 500*time.Millisecond)):
		case <-ctx.Done():
			return fmt.Errorf("wait for leaders: %w", ctx.Err())
		}
	}
	return nil
}
