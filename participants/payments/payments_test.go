package payments

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/skaldhq/skald/participants"
	"github.com/skaldhq/skald/participants/internal/pgtest"
	"github.com/skaldhq/skald/participants/participanttest"
	"github.com/skaldhq/skald/participants/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type object map[string]any

func with(token string) object {
	return object{"order_id": "A-1", "amount_cents": 4200, "token": token}
}

// undo is what the engine sends where it knows no output.
func undo(token string) object { return object{"payload": with(token), "output": nil} }

const (
	paymentsSQL = `SELECT status || ' ' || amount_cents FROM payments.payments`
	refundsSQL  = `SELECT payment_id FROM payments.refunds`
)

func TestPayments_ChargeAndRefund(t *testing.T) {
	t.Parallel()
	pool, p := pgtest.Participant(t, Setup, New)
	saga := participanttest.New(t, p)
	reply := saga.Execute(chargeCommand, with("tok_ok"))
	pgtest.Want(t, reply, wire.Succeeded, "")
	var out charged
	require.NoError(t, json.Unmarshal(reply.Value, &out))
	require.Regexp(t, `^pay_[0-9a-f]{16}$`, out.PaymentID)
	require.Equal(t, []string{"charged 4200"}, pgtest.Column(t, pool, paymentsSQL))

	reply = saga.Compensate(refundCommand, object{"payload": with("tok_ok"), "output": out})
	pgtest.Want(t, reply, wire.Succeeded, "")
	var back refunded
	require.NoError(t, json.Unmarshal(reply.Value, &back))
	require.Equal(t, refunded{RefundID: back.RefundID, PaymentID: out.PaymentID, AmountCents: 4200}, back)
	require.Equal(t, []string{"refunded 4200"}, pgtest.Column(t, pool, paymentsSQL))
	require.Equal(t, []string{out.PaymentID}, pgtest.Column(t, pool, refundsSQL))
}

func TestPayments_Declined(t *testing.T) {
	t.Parallel()
	pool, p := pgtest.Participant(t, Setup, New)
	saga := participanttest.New(t, p)
	pgtest.Want(t, saga.Execute(chargeCommand, with(tokenDeclined)), wire.Rejected, "card_declined")
	require.Empty(t, pgtest.Column(t, pool, paymentsSQL))
	pgtest.Want(t, saga.Compensate(refundCommand, undo(tokenDeclined)), wire.Succeeded, wire.CodeNothingToUndo)
}

func TestPayments_FlakyFailsAtTheFirstAttempt(t *testing.T) {
	t.Parallel()
	pool, p := pgtest.Participant(t, Setup, New)
	saga := participanttest.New(t, p)
	pgtest.Want(t, saga.Execute(chargeCommand, with(tokenFlaky)), wire.Failed, "gateway_unavailable")
	require.Empty(t, pgtest.Column(t, pool, paymentsSQL))
	pgtest.Want(t, saga.Execute(chargeCommand, with(tokenFlaky), participanttest.Attempt(2)), wire.Succeeded, "")
	require.Equal(t, []string{"charged 4200"}, pgtest.Column(t, pool, paymentsSQL))
}

func TestPayments_LostIsChargedNeverAnsweredAndRefunded(t *testing.T) {
	t.Parallel()
	pool, p := pgtest.Participant(t, Setup, New)
	saga := participanttest.New(t, p)
	for attempt := range 3 {
		c := saga.Command(wire.Execute, chargeCommand, with(tokenLost), participanttest.Attempt(attempt+1))
		_, err := saga.Answer(t.Context(), c)
		require.ErrorIs(t, err, participants.ErrNoReply)
	}
	require.Equal(t, []string{"charged 4200"}, pgtest.Column(t, pool, paymentsSQL), "charged, and once")
	pgtest.Want(t, saga.Compensate(refundCommand, undo(tokenLost)), wire.Succeeded, "")
	require.Equal(t, []string{"refunded 4200"}, pgtest.Column(t, pool, paymentsSQL))
}

// While tok_slow waits no transaction is open: a compensation comes first, and the charge has no effect.
func TestPayments_SlowIsOvertakenByItsRefund(t *testing.T) {
	t.Parallel()
	pool := pgtest.Database(t, Setup)
	goOn := make(chan struct{})
	slow := newWith(pool, participants.Config{}, func(context.Context) error {
		<-goOn
		return nil
	})
	saga := participanttest.New(t, slow)
	charged := make(chan wire.Reply, 1)
	go func() {
		reply, err := saga.Answer(t.Context(), saga.Command(wire.Execute, chargeCommand, with(tokenSlow)))
		if err == nil {
			charged <- reply
		}
		close(charged)
	}()
	pgtest.Want(t, saga.Compensate(refundCommand, undo(tokenSlow)), wire.Succeeded, wire.CodeNothingToUndo)
	close(goOn)
	pgtest.Want(t, <-charged, wire.Rejected, wire.CodeAlreadyCompensated)
	require.Empty(t, pgtest.Column(t, pool, paymentsSQL))

	other := participanttest.New(t, slow)
	pgtest.Want(t, other.Execute(chargeCommand, with(tokenSlow)), wire.Succeeded, "")
}

func TestPayments_SlowEndsWithItsContext(t *testing.T) {
	t.Parallel()
	_, p := pgtest.Participant(t, Setup, New)
	saga := participanttest.New(t, p)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := saga.Answer(ctx, saga.Command(wire.Execute, chargeCommand, with(tokenSlow)))
	require.ErrorIs(t, err, context.Canceled)
}

func TestPayments_InvalidPayload(t *testing.T) {
	t.Parallel()
	_, p := pgtest.Participant(t, Setup, New)
	saga := participanttest.New(t, p)
	for step, bad := range map[string]any{
		"a": 7, "b": object{"order_id": "A-1"}, "c": object{"token": "tok_ok"},
		"d": object{"order_id": "A-1", "token": "tok_ok", "amount_cents": -1},
	} {
		pgtest.Want(t, saga.At(step).Execute(chargeCommand, bad), wire.Rejected, wire.CodeInvalidPayload)
	}
}

func TestPayments_PaymentThatIsGone(t *testing.T) {
	t.Parallel()
	pool, p := pgtest.Participant(t, Setup, New)
	saga := participanttest.New(t, p)
	saga.Execute(chargeCommand, with("tok_ok"))
	_, err := pool.Exec(t.Context(), `DELETE FROM payments.payments`)
	require.NoError(t, err)
	pgtest.Want(t, saga.Compensate(refundCommand, undo("tok_ok")), wire.Rejected, "payment_unknown")
}

func TestSQL_EveryStatementPrepares(t *testing.T) {
	t.Parallel()
	pgtest.Prepares(t, pgtest.Database(t, Setup), createPaymentsSQL, createRefundsSQL, insertPaymentSQL, refundPaymentSQL)
}
