package kafka

import (
	"context"
	"errors"
	"fmt"

	"github.com/IBM/sarama"
)

// PartitionsDefault is how many partitions a topic gets.
const PartitionsDefault = 12

// EnsureTopics makes the topics that are missing, with the broker's own replication; what is there stays as it is.
// partitions 0 is PartitionsDefault. ctx is checked between topics.
func (t *Transport) EnsureTopics(ctx context.Context, partitions int32, topics ...string) (err error) {
	if partitions <= 0 {
		partitions = PartitionsDefault
	}
	settings := t.config.client()
	settings.Metadata.Full = true // the admin client asks for all topics at once
	if err := t.config.finish(settings); err != nil {
		return err
	}
	admin, err := sarama.NewClusterAdmin(t.config.Brokers, settings)
	if err != nil {
		return fmt.Errorf("connect to kafka: %w", err)
	}
	defer func() { err = errors.Join(err, admin.Close()) }()
	for _, topic := range topics {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := admin.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: partitions, ReplicationFactor: -1}, false)
		if err != nil && !errors.Is(err, sarama.ErrTopicAlreadyExists) {
			return fmt.Errorf("create topic %s: %w", topic, err)
		}
	}
	return nil
}
