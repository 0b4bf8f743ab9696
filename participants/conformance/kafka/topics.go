package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/IBM/sarama"
)

// exists reports whether there is such a topic.
func (l *Link) exists(topic string) (bool, error) {
	found, err := l.admin.DescribeTopics([]string{topic})
	if err != nil {
		return false, fmt.Errorf("look for topic %s: %w", topic, err)
	}
	return len(found) == 1 && found[0].Err == sarama.ErrNoError, nil
}

// makeTopic makes a topic that Close deletes.
func (l *Link) makeTopic(ctx context.Context, topic string) error {
	if err := l.create(ctx, topic); err != nil {
		return err
	}
	l.made = append(l.made, topic)
	return nil
}

// create makes a topic and waits until each of its partitions has a leader: a broker answers before that.
func (l *Link) create(ctx context.Context, topic string) error {
	err := l.admin.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: partitions, ReplicationFactor: -1}, false)
	if err != nil {
		return fmt.Errorf("make topic %s: %w", topic, err)
	}
	return poll(ctx, 30*time.Second, func() error {
		if err := l.client.RefreshMetadata(topic); err != nil {
			return err
		}
		for p := range int32(partitions) {
			// Asked for an offset, a leader says whether it knows that it is one: the metadata may be ahead of it.
			if _, err := l.client.GetOffset(topic, p, sarama.OffsetOldest); err != nil {
				return fmt.Errorf("wait for the leaders of topic %s: %w", topic, err)
			}
		}
		return nil
	})
}

// poll asks again and again until what it asks answers nil, ctx ends or the time is over; then it gives the last error.
func poll(ctx context.Context, limit time.Duration, ask func() error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		err := ask()
		var final *finalError
		if err == nil || errors.As(err, &final) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("after %s: %w", limit, err)
		case <-time.After(pollPause):
		}
	}
}

// finalError ends a poll.
type finalError struct{ err error }

func (e *finalError) Error() string { return e.err.Error() }
func (e *finalError) Unwrap() error { return e.err }
