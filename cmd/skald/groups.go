package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/IBM/sarama"

	"github.com/skaldhq/skald/configs"
)

// awaitGroups waits until each participant's group has a member that reads, and this replica reads replies.
func awaitGroups(ctx context.Context, r *replica, cfg *configs.Config, participants []string) (err error) {
	conf := sarama.NewConfig()
	conf.Version = sarama.V3_6_0_0
	admin, err := sarama.NewClusterAdmin(cfg.Kafka.Brokers, conf)
	if err != nil {
		return fmt.Errorf("connect to kafka: %w", err)
	}
	defer func() { err = errors.Join(err, admin.Close()) }()
	groups := make([]string, len(participants))
	for i, name := range participants {
		groups[i] = topicsOf(cfg).Prefix + name
	}
	return await(ctx, 50*time.Millisecond, func(context.Context) error {
		if r.broker.Assigned() == 0 {
			return errors.New("no partition of the reply topic is assigned yet")
		}
		found, err := admin.DescribeConsumerGroups(groups)
		if err != nil {
			return err
		}
		for _, group := range found {
			if group.State != "Stable" || len(group.Members) == 0 {
				return fmt.Errorf("group %s is %q", group.GroupId, group.State)
			}
		}
		return nil
	})
}
