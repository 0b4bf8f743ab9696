package shipping

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/skaldhq/skald/participants"
	"github.com/skaldhq/skald/participants/inbox"
	"github.com/skaldhq/skald/participants/internal/label"
	"github.com/skaldhq/skald/participants/wire"
)

// Name is the participant's, and its schema's.
const Name = "shipping"

const nowhere = "nowhere"

// Setup makes the schema and its tables where they are missing. It is safe to call from many processes at once.
func Setup(ctx context.Context, pool *pgxpool.Pool) error {
	if err := inbox.Migrate(ctx, pool, Name, createShipmentsSQL); err != nil {
		return fmt.Errorf("set up %s: %w", Name, err)
	}
	return nil
}

// New returns the participant on a database where Setup was called.
func New(pool *pgxpool.Pool, config participants.Config) *participants.Participant {
	p := participants.New(Name, inbox.New(pool, Name), config)
	p.Handle("CreateShipment.v1", inbox.Handler(create), nil)
	return p
}

type payload struct {
	OrderID string          `json:"order_id"`
	Items   json.RawMessage `json:"items"`
	ShipTo  string          `json:"ship_to"` // "": the customer's own address
}

type output struct {
	ShipmentID string `json:"shipment_id"`
}

func create(ctx context.Context, tx pgx.Tx, req *participants.Request) (participants.Result, error) {
	var p payload
	if err := req.Decode(&p); err != nil {
		return participants.Reject(wire.CodeInvalidPayload, err.Error())
	}
	switch {
	case p.OrderID == "":
		return participants.Reject(wire.CodeInvalidPayload, "order_id is missing")
	case p.ShipTo == nowhere:
		return participants.Fail("no_route", "no carrier goes to nowhere")
	}
	id := label.From("shp", req.ID)
	if err := insertShipment(ctx, tx, req, id, p); err != nil {
		return participants.Result{}, err
	}
	return participants.Succeed(output{ShipmentID: id})
}
