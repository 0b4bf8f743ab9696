package why

import (
	"testing"
	"time"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/participants/wire"
	"github.com/skaldhq/skald/test/stack"
)

// compensationRefused: somebody has marked the payment as refunded, so payments refuses to refund it. The operator mends the table and
// asks again.
func compensationRefused() scenario {
	return scenario{
		name:  "CompensationRefused",
		onset: "the refusal of the compensation is on Kafka",
		bring: func(t *testing.T, s *site) (string, time.Time) {
			free := s.busy(t, "sku-refused")
			id := s.order(t, stack.Order{SKU: "sku-refused"})
			s.reaches(t, id, "reserve-items", "in_flight")
			s.exec(t, `UPDATE payments.payments SET status = 'refunded' WHERE saga_id = $1`, id)
			s.act(t, "cancel", id)
			free()
			return id, s.tap.answered(t, id, "charge-payment", wire.Compensate, wire.Rejected)
		},
		named: func(sg *client.Saga) error { return stuck(sg, "charge-payment", "undo_failed") },
		says:  []string{"charge-payment waits for a person", "no charged payment", "skald saga retry", "skald saga waive"},
		mend: func(t *testing.T, s *site, id string) {
			s.exec(t, `UPDATE payments.payments SET status = 'charged' WHERE saga_id = $1`, id)
			s.act(t, "retry", id, "--step", "charge-payment")
		},
		status: client.Compensated, verdict: "cleanly_aborted",
	}
}
