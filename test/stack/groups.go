package stack

import (
	"context"
	"fmt"
	"time"

	"github.com/IBM/sarama"
)

// Settled waits until the replicas and each of the participants have joined their groups, and the groups are stable. A member
// that is killed while its group balances may never be missed by the embedded broker: crashes belong behind this.
func (s *Stack) Settled(replicas int, participants ...string) {
	s.t.Helper()
	conf := sarama.NewConfig()
	conf.Version = sarama.V3_6_0_0
	admin, err := sarama.NewClusterAdmin(s.brokers, conf)
	if err != nil {
		s.t.Fatalf("connect to Kafka: %v", err)
	}
	defer func() {
		if err := admin.Close(); err != nil {
			s.t.Errorf("disconnect from Kafka: %v", err)
		}
	}()
	want := map[string]int{s.prefix: replicas}
	groups := []string{s.prefix}
	for _, name := range participants {
		group := s.prefix + "." + name
		want[group], groups = 1, append(groups, group)
	}
	Eventually(s.t, 2*time.Minute, func(context.Context) error {
		found, err := admin.DescribeConsumerGroups(groups)
		if err != nil {
			return err
		}
		for _, g := range found {
			if g.State != "Stable" || len(g.Members) != want[g.GroupId] {
				return fmt.Errorf("group %s is %q with %d members, want %d", g.GroupId, g.State, len(g.Members), want[g.GroupId])
			}
		}
		return nil
	})
}
