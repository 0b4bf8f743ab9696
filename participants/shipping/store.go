package shipping

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/skaldhq/skald/participants"
)

const (
	createShipmentsSQL = `CREATE TABLE IF NOT EXISTS shipping.shipments (
	shipment_id text        PRIMARY KEY,
	tenant      text        NOT NULL,
	saga_id     uuid        NOT NULL,
	order_id    text        NOT NULL,
	ship_to     text        NOT NULL,
	items       json,
	created_at  timestamptz NOT NULL DEFAULT clock_timestamp()
)`

	insertShipmentSQL = `INSERT INTO shipping.shipments (shipment_id, tenant, saga_id, order_id, ship_to, items)
VALUES ($1, $2, $3, $4, $5, $6)`
)

func insertShipment(ctx context.Context, tx pgx.Tx, req *participants.Request, id string, p payload) error {
	var items *string // nil: NULL
	if len(p.Items) > 0 {
		text := string(p.Items)
		items = &text
	}
	_, err := tx.Exec(ctx, insertShipmentSQL, id, req.Tenant, req.SagaID.String(), p.OrderID, p.ShipTo, items)
	if err != nil {
		return fmt.Errorf("insert shipment %s: %w", id, err)
	}
	return nil
}
