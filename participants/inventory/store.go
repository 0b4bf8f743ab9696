package inventory

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/skaldhq/skald/participants"
)

const (
	// on_hand NULL is without limit: nothing is counted, and no two reservations wait for each other.
	createStockSQL = `CREATE TABLE IF NOT EXISTS inventory.stock (
	tenant  text   NOT NULL,
	sku     text   NOT NULL,
	on_hand bigint CHECK (on_hand >= 0),
	PRIMARY KEY (tenant, sku)
)`

	// A reservation begins as reserved; releasing it is final.
	createReservationsSQL = `CREATE TABLE IF NOT EXISTS inventory.reservations (
	reservation_id text        NOT NULL,
	sku            text        NOT NULL,
	quantity       bigint      NOT NULL CHECK (quantity > 0),
	tenant         text        NOT NULL,
	saga_id        uuid        NOT NULL,
	order_id       text        NOT NULL,
	status         text        NOT NULL CHECK (status IN ('reserved', 'released')),
	created_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
	updated_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
	PRIMARY KEY (reservation_id, sku)
)`

	// A sku that nobody has seen is in stock, but for the one that never is.
	seedStockSQL = `INSERT INTO inventory.stock (tenant, sku, on_hand)
SELECT $1, sku, CASE WHEN sku = 'sku-sold-out' THEN 0 END
FROM unnest($2::text[]) AS sku
ORDER BY sku
ON CONFLICT DO NOTHING`

	limitedStockSQL = `SELECT sku, on_hand
FROM inventory.stock
WHERE tenant = $1 AND sku = ANY ($2::text[]) AND on_hand IS NOT NULL
ORDER BY sku
FOR UPDATE`

	// The rows are locked, or have no limit.
	addStockSQL = `UPDATE inventory.stock AS s
SET on_hand = s.on_hand + d.quantity
FROM unnest($2::text[], $3::bigint[]) AS d (sku, quantity)
WHERE s.tenant = $1 AND s.sku = d.sku AND s.on_hand IS NOT NULL`

	insertReservationsSQL = `INSERT INTO inventory.reservations (reservation_id, sku, quantity, tenant, saga_id, order_id, status)
SELECT $1, sku, quantity, $4, $5, $6, 'reserved'
FROM unnest($2::text[], $3::bigint[]) AS d (sku, quantity)`

	releaseReservationsSQL = `UPDATE inventory.reservations
SET status = 'released', updated_at = clock_timestamp()
WHERE tenant = $1 AND reservation_id = $2 AND status = 'reserved'
RETURNING sku, quantity`
)

// takeStock takes lines from the stock, or names the skus of which there are too few.
func takeStock(ctx context.Context, tx pgx.Tx, tenant string, lines []line) (missing []string, err error) {
	skus, quantities := columns(lines, -1)
	if _, err := tx.Exec(ctx, seedStockSQL, tenant, skus); err != nil {
		return nil, fmt.Errorf("seed stock: %w", err)
	}
	limited, err := lockLimited(ctx, tx, tenant, skus)
	if err != nil || len(limited) == 0 {
		return nil, err
	}
	for _, l := range lines {
		if onHand, ok := limited[l.SKU]; ok && onHand < l.Quantity {
			missing = append(missing, l.SKU)
		}
	}
	if len(missing) > 0 {
		return missing, nil
	}
	return nil, addStock(ctx, tx, tenant, skus, quantities)
}

// lockLimited returns what is on hand of those skus that have a limit, and locks them.
func lockLimited(ctx context.Context, tx pgx.Tx, tenant string, skus []string) (map[string]int64, error) {
	rows, err := tx.Query(ctx, limitedStockSQL, tenant, skus)
	if err != nil {
		return nil, fmt.Errorf("lock stock: %w", err)
	}
	limited := map[string]int64{}
	var sku string
	var onHand int64
	_, err = pgx.ForEachRow(rows, []any{&sku, &onHand}, func() error {
		limited[sku] = onHand
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("lock stock: %w", err)
	}
	return limited, nil
}

func addStock(ctx context.Context, tx pgx.Tx, tenant string, skus []string, quantities []int64) error {
	if _, err := tx.Exec(ctx, addStockSQL, tenant, skus, quantities); err != nil {
		return fmt.Errorf("change stock: %w", err)
	}
	return nil
}

func insertReservations(ctx context.Context, tx pgx.Tx, req *participants.Request, id, orderID string, lines []line) error {
	skus, quantities := columns(lines, 1)
	_, err := tx.Exec(ctx, insertReservationsSQL, id, skus, quantities, req.Tenant, req.SagaID.String(), orderID)
	if err != nil {
		return fmt.Errorf("insert reservation %s: %w", id, err)
	}
	return nil
}

// releaseReservations gives back what is reserved under id, and returns it.
func releaseReservations(ctx context.Context, tx pgx.Tx, tenant, id string) ([]line, error) {
	rows, err := tx.Query(ctx, releaseReservationsSQL, tenant, id)
	if err != nil {
		return nil, fmt.Errorf("release reservation %s: %w", id, err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowToStructByPos[line])
	if err != nil {
		return nil, fmt.Errorf("release reservation %s: %w", id, err)
	}
	if len(lines) == 0 {
		return nil, nil
	}
	skus, quantities := columns(lines, 1)
	if _, err := lockLimited(ctx, tx, tenant, skus); err != nil {
		return nil, err
	}
	return lines, addStock(ctx, tx, tenant, skus, quantities)
}

// columns are lines for unnest, the quantities times sign.
func columns(lines []line, sign int64) (skus []string, quantities []int64) {
	for _, l := range lines {
		skus = append(skus, l.SKU)
		quantities = append(quantities, sign*l.Quantity)
	}
	return skus, quantities
}
