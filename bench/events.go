package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/IBM/sarama"

	"github.com/skaldhq/skald/api/client"
)

// watchEvents learns of ends from the lifecycle events, as any system beside the engine would. The floor has none; its
// orchestrator counts its own ends.
func watchEvents(brokers, topic string) func(context.Context, func(string, client.Status)) error {
	return func(ctx context.Context, ended func(string, client.Status)) (err error) {
		cfg := sarama.NewConfig()
		cfg.Version = sarama.V3_6_0_0
		cfg.ChannelBufferSize = 4096
		cfg.Consumer.MaxWaitTime = 50 * time.Millisecond // an event is sent at once; this is how long a fetch without one waits
		consumer, err := sarama.NewConsumer(strings.Split(brokers, ","), cfg)
		if err != nil {
			return fmt.Errorf("connect to Kafka: %w", err)
		}
		defer func() { err = errors.Join(err, consumer.Close()) }()
		partitions, err := consumer.Partitions(topic)
		if err != nil {
			return fmt.Errorf("look at %s: %w", topic, err)
		}
		var readers sync.WaitGroup
		defer readers.Wait()
		for _, partition := range partitions {
			pc, err := consumer.ConsumePartition(topic, partition, sarama.OffsetNewest)
			if err != nil {
				return fmt.Errorf("read %s: %w", topic, err)
			}
			defer pc.AsyncClose()
			readers.Go(func() {
				for msg := range pc.Messages() {
					if status, ok := endOf(msg.Headers); ok {
						ended(string(msg.Key), status)
					}
				}
			})
		}
		<-ctx.Done()
		return nil
	}
}

// endOf reads how a saga ended from an event's headers; false: it is not about an end.
func endOf(headers []*sarama.RecordHeader) (client.Status, bool) {
	for _, h := range headers {
		if string(h.Key) != "ce_type" {
			continue
		}
		switch string(h.Value) {
		case "skald.saga.completed":
			return client.Completed, true
		case "skald.saga.compensated":
			return client.Compensated, true
		case "skald.saga.abandoned":
			return client.Abandoned, true
		}
		return "", false
	}
	return "", false
}
