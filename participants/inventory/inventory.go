package inventory

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/skaldhq/skald/participants"
	"github.com/skaldhq/skald/participants/inbox"
	"github.com/skaldhq/skald/participants/internal/label"
	"github.com/skaldhq/skald/participants/wire"
)

// Name is the participant's, and its schema's.
const Name = "inventory"

// Setup makes the schema and its tables where they are missing. It is safe to call from many processes at once.
func Setup(ctx context.Context, pool *pgxpool.Pool) error {
	if err := inbox.Migrate(ctx, pool, Name, createStockSQL, createReservationsSQL); err != nil {
		return fmt.Errorf("set up %s: %w", Name, err)
	}
	return nil
}

// New returns the participant on a database where Setup was called.
func New(pool *pgxpool.Pool, config participants.Config) *participants.Participant {
	p := participants.New(Name, inbox.New(pool, Name), config)
	p.Handle("ReserveItems.v1", inbox.Handler(reserve), nil)
	p.Handle("ReleaseItems.v1", nil, inbox.Handler(release))
	return p
}

type payload struct {
	OrderID string `json:"order_id"`
	Items   []struct {
		SKU      string `json:"sku"`
		Quantity int64  `json:"quantity"`
	} `json:"items"`
}

type output struct {
	ReservationID string `json:"reservation_id"`
	Items         []line `json:"items"`
}

// line is a quantity of one sku.
type line struct {
	SKU      string `json:"sku"`
	Quantity int64  `json:"quantity"`
}

func reserve(ctx context.Context, tx pgx.Tx, req *participants.Request) (participants.Result, error) {
	var p payload
	if err := req.Decode(&p); err != nil {
		return participants.Reject(wire.CodeInvalidPayload, err.Error())
	}
	lines, problem := p.lines()
	if problem != "" {
		return participants.Reject(wire.CodeInvalidPayload, problem)
	}
	missing, err := takeStock(ctx, tx, req.Tenant, lines)
	if err != nil {
		return participants.Result{}, err
	}
	if len(missing) > 0 {
		return participants.Reject("sold_out", "not enough in stock: "+strings.Join(missing, ", "))
	}
	id := label.From("rsv", req.ID)
	if err := insertReservations(ctx, tx, req, id, p.OrderID, lines); err != nil {
		return participants.Result{}, err
	}
	return participants.Succeed(output{ReservationID: id, Items: lines})
}

// release undoes the execute that the barrier knows, whether or not the engine heard of it: the reservation's id
// comes from that command's.
func release(ctx context.Context, tx pgx.Tx, req *participants.Request) (participants.Result, error) {
	id := label.From("rsv", req.Executed.CommandID)
	lines, err := releaseReservations(ctx, tx, req.Tenant, id)
	if err != nil {
		return participants.Result{}, err
	}
	if len(lines) == 0 {
		return participants.Reject("reservation_unknown", fmt.Sprintf("no open reservation %s", id))
	}
	return participants.Succeed(output{ReservationID: id, Items: lines})
}

// lines sums the items by sku, in the order of skus: transactions that lock stock in one order don't deadlock.
func (p payload) lines() (lines []line, problem string) {
	if p.OrderID == "" || len(p.Items) == 0 {
		return nil, "order_id or items are missing"
	}
	sums := map[string]int64{}
	for _, item := range p.Items {
		if item.SKU == "" || item.Quantity < 1 {
			return nil, fmt.Sprintf("item %q has quantity %d", item.SKU, item.Quantity)
		}
		sums[item.SKU] += item.Quantity
	}
	for _, sku := range slices.Sorted(maps.Keys(sums)) {
		lines = append(lines, line{SKU: sku, Quantity: sums[sku]})
	}
	return lines, ""
}
