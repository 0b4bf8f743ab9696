package main

import (
	"context"
	"fmt"

	"github.com/skaldhq/skald/orchestrator/kafka"
	"github.com/skaldhq/skald/orchestrator/webhook"
)

// notify tells the configured receiver that a person is asked for, until ctx ends. It returns at once where none is configured.
func (r *replica) notify(ctx context.Context) error {
	if r.cfg.Webhook.URL == "" {
		return nil
	}
	sender, err := webhook.New(webhook.Config{
		URL: r.cfg.Webhook.URL.Reveal(), Secret: []byte(r.cfg.Webhook.Secret.Reveal()), Networks: r.cfg.Webhook.Networks, Logger: r.log,
		Outcome: r.metrics.Noticed,
	})
	if err != nil {
		return err
	}
	defer sender.Close()
	follower, err := kafka.NewFollower(kafkaConfig(r.cfg, r.log), r.cfg.Kafka.Group+"-webhook")
	if err != nil {
		return err
	}
	if err := follower.Run(ctx, sender.Handle); err != nil {
		return fmt.Errorf("follow events for the webhook: %w", err)
	}
	return nil
}
