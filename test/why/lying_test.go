package why

import (
	"testing"
	"time"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/participants/wire"
	"github.com/skaldhq/skald/test/stack"
)

// participantLies: payments says that it has charged, and then, of the same command, that it has not. The operator looks into its table,
// and has everything undone.
func participantLies() scenario {
	var free func()
	return scenario{
		name:  "ParticipantLies",
		onset: "the answer that contradicts the first is acknowledged by Kafka",
		bring: func(t *testing.T, s *site) (string, time.Time) {
			free = s.busy(t, "sku-lies")
			id := s.order(t, stack.Order{SKU: "sku-lies"})
			s.reaches(t, id, "reserve-items", "in_flight")
			return id, s.tap.reply(t, s.tap.command(t, id), wire.Rejected, "card_declined", nil)
		},
		named: func(sg *client.Saga) error { return asksFor(sg, "charge-payment", "reply.conflict") },
		says:  []string{"needs attention:", "charge-payment", "skald saga acknowledge"},
		mend: func(t *testing.T, s *site, id string) {
			s.act(t, "acknowledge", id, "--step", "charge-payment")
			s.act(t, "cancel", id)
			free()
		},
		status: client.Compensated, verdict: "cleanly_aborted",
	}
}
