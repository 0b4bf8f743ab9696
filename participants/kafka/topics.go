package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/IBM/sarama"
)

const (
	// PartitionsDefault is how many partitions a topic gets.
	PartitionsDefault = 12

	leaderPause = 50 * time.Millisecond
	leaderLimit = 30 * time.Second
)

// EnsureTopics makes the topics that are missing, with the broker's own replication; what is there stays as it is. It
// returns when every partition has a leader that is known: a broker answers the creation before that. partitions 0 is
// PartitionsDefault. Ending ctx stops the waiting; topics that were made stay.
func (t *Transport) EnsureTopics(ctx context.Context, partitions int32, topics ...string) (err error) {
	if partitions <= 0 {
		partitions = PartitionsDefault
	}
	settings := t.config.client()
	settings.Metadata.Full = true // the admin client asks for all topics at once
	settings.Metadata.Retry.Max = 0
	if err := t.config.finish(settings); err != nil {
		return err
	}
	client, err := sarama.NewClient(t.config.Brokers, settings)
	if err != nil {
		return fmt.Errorf("connect to kafka: %w", err)
	}
	admin, err := sarama.NewClusterAdminFromClient(client)
	if err != nil {
		return errors.Join(fmt.Errorf("connect to kafka: %w", err), client.Close())
	}
	defer func() { err = errors.Join(err, admin.Close()) }() // closes the client too
	for _, topic := range topics {
		err := admin.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: partitions, ReplicationFactor: -1}, false)
		if err != nil && !errors.Is(err, sarama.ErrTopicAlreadyExists) {
			return fmt.Errorf("create topic %s: %w", topic, err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, leaderLimit)
	defer cancel()
	for _, topic := range topics {
		if err := awaitLeaders(ctx, client, topic); err != nil {
			return fmt.Errorf("wait for the leaders of topic %s: %w", topic, err)
		}
	}
	return nil
}

func awaitLeaders(ctx context.Context, client sarama.Client, topic string) error {
	for {
		err := leaders(client, topic)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		case <-time.After(leaderPause):
		}
	}
}

func leaders(client sarama.Client, topic string) error {
	if err := client.RefreshMetadata(topic); err != nil {
		return err
	}
	partitions, err := client.Partitions(topic)
	if err != nil {
		return err
	}
	for _, partition := range partitions {
		if _, err := client.Leader(topic, partition); err != nil {
			return err
		}
	}
	return nil
}
