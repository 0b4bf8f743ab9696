package why

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/test/stack"
)

// participantDown: nobody runs payments. A rehearsal shows the operator that a cancel would undo the order; it is started again instead.
func participantDown() scenario {
	return scenario{
		name:  "ParticipantDown",
		onset: "the command's record is acknowledged, and its consumer group has no members",
		own:   func(t *testing.T) *site { return newSite(t, stack.New(t)) },
		bring: func(t *testing.T, s *site) (string, time.Time) {
			s.participants["payments"].Terminate()
			require.NoError(t, s.participants["payments"].Wait(20*time.Second))
			nobodyIn(t, s, "payments")
			id := s.order(t, stack.Order{})
			return id, acknowledged(t, s, id)
		},
		named: func(sg *client.Saga) error {
			b, err := waitsFor(sg, "charge-payment", "reply")
			if err == nil && (!b.Queued || b.Consumers == nil || *b.Consumers != 0) {
				err = errors.New("it does not say that nobody is there to read it")
			}
			return err
		},
		says: []string{"nobody is in the consumer group payments", "neither sent again nor counted"},
		mend: func(t *testing.T, s *site, id string) {
			preview, err := s.replica.DryRun(t.Context(), id, client.ActionCancel, client.ActRequest{Reason: "what would it come to?"})
			require.NoError(t, err)
			require.Equal(t, client.Compensating, preview.Next.Status)
			s.Participant("payments")
		},
		status: client.Completed, verdict: "committed",
	}
}

// acknowledged is when Kafka acknowledged the command of charge-payment.
func acknowledged(t *testing.T, s *site, id string) (at time.Time) {
	t.Helper()
	stack.Eventually(t, 20*time.Second, func(ctx context.Context) error {
		sg, err := s.replica.Saga(ctx, id)
		if err != nil {
			return err
		}
		b, err := waitsFor(&sg, "charge-payment", "reply")
		if err == nil && (b.Record == nil || b.Record.At == nil) {
			err = errors.New("the command is not acknowledged yet")
		}
		if err == nil {
			at = *b.Record.At
		}
		return err
	})
	return at
}

// nobodyIn waits until a participant's group has no members.
func nobodyIn(t *testing.T, s *site, participant string) {
	t.Helper()
	conf := sarama.NewConfig()
	conf.Version = sarama.V3_6_0_0
	admin, err := sarama.NewClusterAdmin(s.Brokers(), conf)
	require.NoError(t, err)
	defer func() { require.NoError(t, admin.Close()) }()
	stack.Eventually(t, 30*time.Second, func(context.Context) error {
		groups, err := admin.DescribeConsumerGroups([]string{s.Group(participant)})
		if err != nil {
			return err
		}
		if n := len(groups[0].Members); n > 0 {
			return fmt.Errorf("%d members", n)
		}
		return nil
	})
}
