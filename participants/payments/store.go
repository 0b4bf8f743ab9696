package payments

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/skaldhq/skald/participants"
)

const (
	// A payment begins as charged; a refund makes it refunded, for good.
	createPaymentsSQL = `CREATE TABLE IF NOT EXISTS payments.payments (
	payment_id   text        PRIMARY KEY,
	tenant       text        NOT NULL,
	saga_id      uuid        NOT NULL,
	order_id     text        NOT NULL,
	amount_cents bigint      NOT NULL CHECK (amount_cents >= 0),
	token        text        NOT NULL,
	status       text        NOT NULL CHECK (status IN ('charged', 'refunded')),
	created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
	updated_at   timestamptz NOT NULL DEFAULT clock_timestamp()
)`

	createRefundsSQL = `CREATE TABLE IF NOT EXISTS payments.refunds (
	refund_id    text        PRIMARY KEY,
	payment_id   text        NOT NULL UNIQUE REFERENCES payments.payments,
	amount_cents bigint      NOT NULL,
	created_at   timestamptz NOT NULL DEFAULT clock_timestamp()
)`

	insertPaymentSQL = `INSERT INTO payments.payments (payment_id, tenant, saga_id, order_id, amount_cents, token, status)
VALUES ($1, $2, $3, $4, $5, $6, 'charged')`

	refundPaymentSQL = `WITH payment AS (
	UPDATE payments.payments
	SET status = 'refunded', updated_at = clock_timestamp()
	WHERE tenant = $1 AND payment_id = $2 AND status = 'charged'
	RETURNING payment_id, amount_cents
)
INSERT INTO payments.refunds (refund_id, payment_id, amount_cents)
SELECT $3, payment_id, amount_cents
FROM payment
RETURNING amount_cents`
)

func insertPayment(ctx context.Context, tx pgx.Tx, req *participants.Request, id string, p payload) error {
	_, err := tx.Exec(ctx, insertPaymentSQL, id, req.Tenant, req.SagaID.String(), p.OrderID, p.AmountCents, p.Token)
	if err != nil {
		return fmt.Errorf("insert payment %s: %w", id, err)
	}
	return nil
}

// refundPayment fills in the amount, and reports whether there was a payment to refund.
func refundPayment(ctx context.Context, tx pgx.Tx, tenant string, r *refunded) (bool, error) {
	err := tx.QueryRow(ctx, refundPaymentSQL, tenant, r.PaymentID, r.RefundID).Scan(&r.AmountCents)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("refund payment %s: %w", r.PaymentID, err)
	}
	return true, nil
}
