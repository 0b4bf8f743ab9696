package play

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator/definition"
	"github.com/skaldhq/skald/orchestrator/saga"
)

var update = flag.Bool("update", false, "write the golden files anew")

const orderInput = `{"order_id": "A-1001", "customer_id": "C-7", "amount_cents": 4200, "payment_token": "tok_ok", "ship_to": "Main St 1",
	"items": [{"sku": "sku-1", "quantity": 2}]}`

func orderPlacement(t testing.TB) *saga.Definition {
	t.Helper()
	src, err := os.ReadFile("../testdata/order-placement.yaml")
	require.NoError(t, err)
	d, err := definition.Read("order-placement.yaml", src)
	require.NoError(t, err)
	return d
}

func parse(t testing.TB, texts ...string) []Reply {
	t.Helper()
	var replies []Reply
	for _, text := range texts {
		r, err := ParseReply(text)
		require.NoError(t, err)
		replies = append(replies, r)
	}
	return replies
}

func TestRun_OrderPlacement(t *testing.T) {
	t.Parallel()
	def := orderPlacement(t)
	for _, c := range []struct {
		name    string
		replies []string
		status  saga.Status
		verdict saga.Verdict
	}{
		{"happy", nil, saga.Completed, saga.Committed},
		{"reserve-items-rejected", []string{"reserve-items=rejected:sold_out"}, saga.Compensated, saga.CleanlyAborted},
		{"charge-payment-failed-twice", []string{"charge-payment=failed*2"}, saga.Completed, saga.Committed},
		{"charge-payment-timeout", []string{"charge-payment=timeout"}, saga.Compensated, saga.CleanlyAborted},
		{"confirm-order-rejected", []string{"confirm-order=rejected"}, saga.Compensated, saga.CleanlyAborted},
		{"create-shipment-failed", []string{"create-shipment=failed"}, saga.Running, ""},
		{"create-shipment-rejected", []string{"create-shipment=rejected"}, saga.Suspended, ""},
		{"compensation-rejected", []string{"reserve-items=rejected", "charge-payment.compensate=rejected:settled"}, saga.Suspended, ""},
		{"compensation-timeout", []string{"reserve-items=rejected", "create-order.compensate=timeout*2"}, saga.Compensated, saga.CleanlyAborted},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := Run(def, json.RawMessage(orderInput), parse(t, c.replies...))
			require.NoError(t, err)
			golden := "testdata/" + c.name + ".golden"
			if *update {
				require.NoError(t, os.WriteFile(golden, []byte(got.String()), 0o644))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			require.Empty(t, cmp.Diff(string(want), got.String()), "run the test with -update and read the difference")
			require.Equal(t, c.status, got.Status)
			require.Equal(t, c.verdict == "", got.Certificate == nil)
			if c.verdict != "" {
				require.Equal(t, c.verdict, got.Certificate.Verdict)
			}
			again, err := Run(def, json.RawMessage(orderInput), parse(t, c.replies...))
			require.NoError(t, err)
			require.Equal(t, got, again, "virtual time: the same each time")
		})
	}
}

func TestRun_Refused(t *testing.T) {
	t.Parallel()
	def := orderPlacement(t)
	_, err := Run(def, json.RawMessage(`{}`), nil)
	var invalid *definition.InvalidError
	require.True(t, errors.As(err, &invalid))
	require.Len(t, invalid.Violations, 5)
	_, err = Run(def, json.RawMessage(`{`), nil)
	require.EqualError(t, err, "input: not JSON")
	_, err = Run(def, json.RawMessage(`"`+strings.Repeat("x", saga.MaxInputBytes)+`"`), nil)
	require.ErrorContains(t, err, "at most 262144 are taken")
	for text, want := range map[string]string{
		"reserve=rejected":                  "reply of reserve: order-placement has no such step",
		"confirm-order.compensate=rejected": "reply of confirm-order: the step has no compensation",
		"create-order.probe=unknown":        "reply of create-order: the step has no probe",
	} {
		_, err := Run(def, json.RawMessage(orderInput), parse(t, text))
		require.EqualError(t, err, want)
	}
}

func TestParseReply(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Reply{
		"a=succeeded":             {Step: "a", Outcome: saga.ReplySucceeded},
		"a=failed*3":              {Step: "a", Outcome: saga.ReplyFailed, Times: 3},
		"a.compensate=rejected:x": {Step: "a", Verb: saga.Compensate, Outcome: saga.ReplyRejected, Code: "x"},
		"a.probe=unknown*2:busy":  {Step: "a", Verb: saga.Probe, Outcome: saga.ReplyUnknown, Code: "busy", Times: 2},
		"a=timeout":               {Step: "a", Outcome: Timeout},
	} {
		got, err := ParseReply(text)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for text, want := range map[string]string{
		"a":             "want STEP=OUTCOME",
		"a=no":          `"no" is no outcome`,
		"a.undo=failed": `"undo" is no verb`,
		"a=failed*0":    "want how often",
		"a=failed*x":    "want how often",
	} {
		_, err := ParseReply(text)
		require.ErrorContains(t, err, want)
	}
}

// A parallel saga with a probe, a skipped step and a compensation that gets the output.
func TestRun_Parallel(t *testing.T) {
	t.Parallel()
	def, err := definition.Read("trip.yaml", []byte(`
saga: book-trip
version: 2
key: input.id
labels: {to: "${input.to}"}
defaults: {timeout: 1s, retry: {max_attempts: 2, initial: 100ms, jitter: 0}}
steps:
  - name: hotel
    participant: hotels
    command: Book.v1
    after: []
    returns: {type: object, required: [room, nights], properties: {room: {type: string, minLength: 1}, nights: {type: integer, minimum: 3}}}
    compensation: {command: Cancel.v1, payload: {room: "${output.room}"}}
  - {name: flight, participant: flights, command: Book.v1, after: [], probe: IsBooked.v1, compensation: {command: Cancel.v1}}
  - {name: car, participant: cars, command: Rent.v1, after: [], when: input.car, compensation: {command: Return.v1}}
  - name: pay
    participant: payments
    command: Pay.v1
    kind: pivot
    after: [hotel, flight, car]
    payload: {room: "${steps['hotel'].output.room}", car: "${steps['car'].output.?id.orValue('none')}"}
output: {nights: "${steps['hotel'].output.nights + 1}"}
`))
	require.NoError(t, err)
	input := json.RawMessage(`{"id": "T-1", "to": "Rome", "car": false}`)
	for name, replies := range map[string][]string{
		"parallel-probed":   {"flight=timeout*1", "flight.probe=unknown*1"},
		"parallel-rejected": {"pay=rejected"},
	} {
		got, err := Run(def, input, parse(t, replies...))
		require.NoError(t, err)
		golden := "testdata/" + name + ".golden"
		if *update {
			require.NoError(t, os.WriteFile(golden, []byte(got.String()), 0o644))
		}
		want, err := os.ReadFile(golden)
		require.NoError(t, err)
		require.Empty(t, cmp.Diff(string(want), got.String()))
	}
}
