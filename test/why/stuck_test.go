package why

import (
	"strings"
	"testing"
	"time"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/participants/wire"
	"github.com/skaldhq/skald/test/stack"
)

// stuckBeforeThePivot: an expression of the definition fails on what payments answered. A version without the mistake is registered, the
// saga is rebound to it, and the step is tried again.
func stuckBeforeThePivot() scenario {
	const (
		name    = "order-mistaken"
		payload = `payload: {order_id: "${input.order_id}", items: "${input.items}"}`
		wrong   = `payload: {order_id: "${string(int(steps['charge-payment'].output.payment_id))}", items: "${input.items}"}`
	)
	return scenario{
		name:  "StuckBeforeThePivot",
		onset: "the answer that makes the next step ready is on Kafka",
		bring: func(t *testing.T, s *site) (string, time.Time) {
			s.register(t, 1, variant(t, name, payload, wrong))
			id := s.start(t, name, stack.Order{})
			return id, s.tap.answered(t, id, "charge-payment", wire.Execute, wire.Succeeded)
		},
		named: func(sg *client.Saga) error { return stuck(sg, "reserve-items", "expression") },
		says:  []string{"reserve-items waits for a person", "expression", "skald saga retry"},
		mend: func(t *testing.T, s *site, id string) {
			s.register(t, 2, strings.Replace(variant(t, name, payload, payload), "version: 1", "version: 2", 1))
			s.act(t, "rebind", id, "--to", "2")
			s.act(t, "retry", id, "--step", "reserve-items")
		},
		status: client.Completed, verdict: "committed",
	}
}

// stuckAfterThePivot: shipping rejects a payload that the definition formed wrongly; there is no way back. The operator corrects it.
func stuckAfterThePivot() scenario {
	const (
		name    = "order-unaddressed"
		payload = `payload: {order_id: "${input.order_id}", items: "${input.items}", ship_to: "${input.ship_to}"}`
		wrong   = `payload: {order_id: "", items: "${input.items}", ship_to: "${input.ship_to}"}`
	)
	return scenario{
		name:  "StuckAfterThePivot",
		onset: "shipping's rejection is on Kafka",
		bring: func(t *testing.T, s *site) (string, time.Time) {
			s.register(t, 1, variant(t, name, payload, wrong))
			id := s.start(t, name, stack.Order{})
			return id, s.tap.answered(t, id, "create-shipment", wire.Execute, wire.Rejected)
		},
		named: func(sg *client.Saga) error { return stuck(sg, "create-shipment", "rejected") },
		says:  []string{"create-shipment waits for a person", "order_id is missing", "--payload"},
		mend: func(t *testing.T, s *site, id string) {
			s.act(t, "retry", id, "--step", "create-shipment", "--payload", `{"order_id": "`+s.scenario+`", "ship_to": "Main St 1"}`)
		},
		status: client.Completed, verdict: "committed",
	}
}
