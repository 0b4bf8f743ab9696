package why

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/test/stack"
)

// participantSlow: payments takes the command and works at it for 8 s. The operator does not wait, and cancels.
func participantSlow() scenario {
	return scenario{
		name:  "ParticipantSlow",
		onset: "the command's record is acknowledged, its group has a member, and nothing is before it",
		bring: func(t *testing.T, s *site) (string, time.Time) {
			id := s.order(t, stack.Order{Token: "tok_slow"})
			return id, acknowledged(t, s, id)
		},
		named: func(sg *client.Saga) error {
			b, err := waitsFor(sg, "charge-payment", "reply")
			switch {
			case err != nil:
				return err
			case b.Participant != "payments" || b.Record == nil || b.Queued || b.Consumers == nil || *b.Consumers != 1 || b.Lag == nil || *b.Lag != 0:
				return fmt.Errorf("it does not say that payments is there, has nothing else to do, and does not answer: %s", text(b))
			}
			return nil
		},
		says:   []string{"charge-payment waits for an answer of payments to ChargePayment.v1, attempt 1.", "one member of payments reads"},
		mend:   cancelAtOnce,
		status: client.Compensated, verdict: "cleanly_aborted",
	}
}

// cancelAtOnce cancels over REST: what payments works at may be done before a command line has started twice.
func cancelAtOnce(t *testing.T, s *site, id string) {
	req := client.ActRequest{Reason: "the runbook says so"}
	preview, err := s.replica.DryRun(t.Context(), id, client.ActionCancel, req)
	require.NoError(t, err)
	acted, err := s.replica.Act(t.Context(), id, client.ActionCancel, req)
	require.NoError(t, err)
	require.Equal(t, preview.Next.Status, acted.Status)
}

// text is anything in one line.
func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}
