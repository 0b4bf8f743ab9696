package why

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/participants/wire"
	"github.com/skaldhq/skald/test/stack"
)

// poisonRecord: payments charges, and its answer cannot be read. The operator finds the payment in its table, says so, and settles the record.
func poisonRecord() scenario {
	return scenario{
		name:  "PoisonRecord",
		onset: "the record that cannot be applied is acknowledged by Kafka",
		bring: func(t *testing.T, s *site) (string, time.Time) {
			id := s.order(t, stack.Order{Token: "tok_lost"})
			stack.Eventually(t, 20*time.Second, func(context.Context) error { _, err := s.payment(id); return err })
			return id, s.tap.reply(t, s.tap.command(t, id), wire.Succeeded, "", []byte(`{"payment_id": `))
		},
		named: func(sg *client.Saga) error {
			if _, err := waitsFor(sg, "charge-payment", "reply"); err != nil {
				return err
			}
			if len(sg.Quarantined) != 1 || sg.Quarantined[0].Reason != "unreadable" {
				return fmt.Errorf("of the quarantine it says %+v", sg.Quarantined)
			}
			return nil
		},
		says: []string{"charge-payment waits for an answer of payments", "is in quarantine: unreadable", "skald quarantine show"},
		mend: func(t *testing.T, s *site, id string) {
			sg, err := s.replica.Saga(t.Context(), id)
			require.NoError(t, err)
			payment, err := s.payment(id)
			require.NoError(t, err)
			s.act(t, "complete", id, "--step", "charge-payment", "--result", `{"payment_id": "`+payment+`"}`)
			discard := []string{"quarantine", "discard", strconv.FormatInt(sg.Quarantined[0].ID, 10), "--reason", "the payment is in the books", "--output", "json"}
			var rehearsed, done client.QuarantineResult
			require.NoError(t, json.Unmarshal([]byte(s.cli(t, append(discard, "--dry-run")...)), &rehearsed))
			require.NoError(t, json.Unmarshal([]byte(s.cli(t, discard...)), &done))
			require.Equal(t, rehearsed.Outcome, done.Outcome)
			sg, err = s.replica.Saga(t.Context(), id)
			require.NoError(t, err)
			require.Empty(t, sg.Quarantined)
		},
		status: client.Completed, verdict: "committed",
	}
}

// payment is the id of the payment that was taken for a saga.
func (s *site) payment(id string) (payment string, err error) {
	err = s.Pool.QueryRow(context.Background(), `SELECT payment_id FROM payments.payments WHERE saga_id = $1 AND status = 'charged'`, id).Scan(&payment)
	return payment, err
}
