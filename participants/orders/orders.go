package orders

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/skaldhq/skald/participants"
	"github.com/skaldhq/skald/participants/inbox"
	"github.com/skaldhq/skald/participants/wire"
)

// Name is the participant's, and its schema's.
const Name = "orders"

// Setup makes the schema and its tables where they are missing. It is safe to call from many processes at once.
func Setup(ctx context.Context, pool *pgxpool.Pool) error {
	if err := inbox.Migrate(ctx, pool, Name, createTablesSQL); err != nil {
		return fmt.Errorf("set up %s: %w", Name, err)
	}
	return nil
}

// New returns the participant on a database where Setup was called.
func New(pool *pgxpool.Pool, config participants.Config) *participants.Participant {
	p := participants.New(Name, inbox.New(pool, Name), config)
	p.Handle("CreateOrder.v1", inbox.Handler(create), nil)
	p.Handle("CancelOrder.v1", nil, inbox.Handler(cancel))
	p.Handle("ConfirmOrder.v1", inbox.Handler(confirm), nil)
	return p
}

// payload is of all three commands; Cancel and Confirm take the order id alone.
type payload struct {
	OrderID    string          `json:"order_id"`
	CustomerID string          `json:"customer_id"`
	Items      json.RawMessage `json:"items"`
}

// output is the answer of all three commands.
type output struct {
	OrderID string `json:"order_id"`
	Status  string `json:"status"`
}

func create(ctx context.Context, tx pgx.Tx, req *participants.Request) (participants.Result, error) {
	var p payload
	if err := req.Decode(&p); err != nil {
		return participants.Reject(wire.CodeInvalidPayload, err.Error())
	}
	if p.OrderID == "" {
		return participants.Reject(wire.CodeInvalidPayload, "order_id is missing")
	}
	created, err := insertOrder(ctx, tx, req, p)
	if err != nil {
		return participants.Result{}, err
	}
	if !created {
		return participants.Reject("order_exists", fmt.Sprintf("order %s exists", p.OrderID))
	}
	return participants.Succeed(output{OrderID: p.OrderID, Status: statusCreated})
}

func cancel(ctx context.Context, tx pgx.Tx, req *participants.Request) (participants.Result, error) {
	return move(ctx, tx, req, statusCancelled, "order_not_open", "no open order %s of this saga to cancel")
}

func confirm(ctx context.Context, tx pgx.Tx, req *participants.Request) (participants.Result, error) {
	return move(ctx, tx, req, statusConfirmed, "order_not_open", "no open order %s of this saga to confirm")
}

// move takes the saga's order from created to status.
func move(ctx context.Context, tx pgx.Tx, req *participants.Request, status, code, message string) (participants.Result, error) {
	var p payload
	if err := req.Decode(&p); err != nil {
		return participants.Reject(wire.CodeInvalidPayload, err.Error())
	}
	moved, err := moveOrder(ctx, tx, req, p.OrderID, status)
	if err != nil {
		return participants.Result{}, err
	}
	if !moved {
		return participants.Reject(code, fmt.Sprintf(message, p.OrderID))
	}
	return participants.Succeed(output{OrderID: p.OrderID, Status: status})
}
