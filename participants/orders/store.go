package orders

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/skaldhq/skald/participants"
)

// The statuses of an order. Every order begins as created; confirmed and cancelled are final, but the id of a
// cancelled order may be taken again.
const (
	statusCreated   = "created"
	statusConfirmed = "confirmed"
	statusCancelled = "cancelled"
)

const (
	createTablesSQL = `CREATE TABLE IF NOT EXISTS orders.orders (
	tenant      text        NOT NULL,
	order_id    text        NOT NULL,
	saga_id     uuid        NOT NULL,
	customer_id text        NOT NULL,
	items       json,
	status      text        NOT NULL CHECK (status IN ('created', 'confirmed', 'cancelled')),
	created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
	updated_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
	PRIMARY KEY (tenant, order_id)
)`

	// No row comes back where the id is taken by an order that was not cancelled.
	insertOrderSQL = `INSERT INTO orders.orders AS o (tenant, order_id, saga_id, customer_id, items, status)
VALUES ($1, $2, $3, $4, $5, 'created')
ON CONFLICT (tenant, order_id) DO UPDATE
SET saga_id = excluded.saga_id, customer_id = excluded.customer_id, items = excluded.items, status = excluded.status,
	created_at = excluded.created_at, updated_at = excluded.updated_at
WHERE o.status = 'cancelled'`

	moveOrderSQL = `UPDATE orders.orders
SET status = $4, updated_at = clock_timestamp()
WHERE tenant = $1 AND order_id = $2 AND saga_id = $3 AND status = 'created'`
)

func insertOrder(ctx context.Context, tx pgx.Tx, req *participants.Request, p payload) (bool, error) {
	var items *string // nil: NULL
	if len(p.Items) > 0 {
		text := string(p.Items)
		items = &text
	}
	tag, err := tx.Exec(ctx, insertOrderSQL, req.Tenant, p.OrderID, req.SagaID.String(), p.CustomerID, items)
	if err != nil {
		return false, fmt.Errorf("insert order %s: %w", p.OrderID, err)
	}
	return tag.RowsAffected() == 1, nil
}

func moveOrder(ctx context.Context, tx pgx.Tx, req *participants.Request, orderID, status string) (bool, error) {
	tag, err := tx.Exec(ctx, moveOrderSQL, req.Tenant, orderID, req.SagaID.String(), status)
	if err != nil {
		return false, fmt.Errorf("move order %s to %s: %w", orderID, status, err)
	}
	return tag.RowsAffected() == 1, nil
}
