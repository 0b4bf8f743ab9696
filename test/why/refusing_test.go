package why

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/participants/wire"
	"github.com/skaldhq/skald/test/stack"
)

// participantRefuses: shipping answers every attempt with a technical failure. A person ships the order and says so.
func participantRefuses() scenario {
	return scenario{
		name:  "ParticipantRefuses",
		onset: "shipping's first `failed` is on Kafka",
		bring: func(t *testing.T, s *site) (string, time.Time) {
			id := s.order(t, stack.Order{ShipTo: "nowhere"})
			return id, s.tap.answered(t, id, "create-shipment", wire.Execute, wire.Failed)
		},
		named:  shippingFails,
		says:   []string{"create-shipment failed and is tried again: CreateShipment.v1 to shipping.", "no carrier goes to nowhere"},
		mend:   shipByHand,
		status: client.Completed, verdict: "committed",
	}
}

func shippingFails(sg *client.Saga) error {
	b, err := waitsFor(sg, "create-shipment", "backoff")
	if err == nil && (b.Participant != "shipping" || !strings.Contains(b.Message, "no carrier")) {
		err = fmt.Errorf("it says %q of %s", b.Message, b.Participant)
	}
	return err
}

func shipByHand(t *testing.T, s *site, id string) {
	s.exec(t, `INSERT INTO shipping.shipments (shipment_id, tenant, saga_id, order_id, ship_to) VALUES ($2, 'default', $1, $2, 'nowhere')`, id, s.scenario)
	s.act(t, "complete", id, "--step", "create-shipment", "--result", `{"shipment_id": "`+s.scenario+`"}`)
}
