package stack

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/skaldhq/skald/api/client"
)

// Effects are what a saga left in the participants' tables.
type Effects struct {
	Order        string // created, confirmed, cancelled; empty: no row
	Payment      string // charged, refunded
	Refunds      int
	Reservations []string // reserved, released; one a sku
	Shipments    int
}

// World is the participants' tables, by saga.
type World map[string]*Effects

const (
	ordersSQL       = `SELECT saga_id::text, status FROM orders.orders`
	paymentsSQL     = `SELECT saga_id::text, status, (SELECT count(*) FROM payments.refunds AS r WHERE r.payment_id = p.payment_id) FROM payments.payments AS p`
	reservationsSQL = `SELECT saga_id::text, status FROM inventory.reservations`
	shipmentsSQL    = `SELECT saga_id::text, count(*) FROM shipping.shipments GROUP BY saga_id`
)

// ReadWorld reads the participants' tables.
func ReadWorld(ctx context.Context, pool *pgxpool.Pool) (World, error) {
	w := World{}
	var id, status string
	var n int
	for _, part := range []struct {
		sql  string
		into []any
		take func(*Effects) error
	}{
		{ordersSQL, []any{&id, &status}, func(e *Effects) error {
			if e.Order != "" {
				return fmt.Errorf("saga %s has two orders", id)
			}
			e.Order = status
			return nil
		}},
		{paymentsSQL, []any{&id, &status, &n}, func(e *Effects) error {
			if e.Payment != "" {
				return fmt.Errorf("saga %s was charged twice", id)
			}
			e.Payment, e.Refunds = status, n
			return nil
		}},
		{reservationsSQL, []any{&id, &status}, func(e *Effects) error { e.Reservations = append(e.Reservations, status); return nil }},
		{shipmentsSQL, []any{&id, &n}, func(e *Effects) error { e.Shipments = n; return nil }},
	} {
		rows, err := pool.Query(ctx, part.sql)
		if err != nil {
			return nil, err
		}
		if _, err := pgx.ForEachRow(rows, part.into, func() error {
			if w[id] == nil {
				w[id] = &Effects{}
			}
			return part.take(w[id])
		}); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// Agrees is nil where what a certificate says of each step is what the participants' tables hold, and else says what differs.
// It knows the steps of the sample definitions.
func (w World) Agrees(sg *client.Saga) error {
	if sg.Certificate == nil {
		return fmt.Errorf("saga %s is %s and has no certificate", sg.ID, sg.Status)
	}
	e := w[sg.ID]
	if e == nil {
		e = &Effects{}
	}
	var wrong []string
	for _, said := range sg.Certificate.Effects {
		if problem := e.contradicts(said.Step, said.Effect); problem != "" {
			wrong = append(wrong, fmt.Sprintf("%s is %q, but %s", said.Step, said.Effect, problem))
		}
	}
	if len(wrong) > 0 {
		return fmt.Errorf("saga %s (%s, %s): %s", sg.ID, sg.Status, sg.Certificate.Verdict, strings.Join(wrong, "; "))
	}
	return nil
}

func (e *Effects) contradicts(step, effect string) string {
	has := ""
	switch step {
	case "create-order":
		switch {
		case effect == "certain" && (e.Order == "created" || e.Order == "confirmed"):
		case effect == "undone" && (e.Order == "cancelled" || e.Order == ""):
		case effect == "none" && e.Order == "":
		default:
			has = fmt.Sprintf("the order is %q", e.Order)
		}
	case "charge-payment", "charge-deposit":
		switch {
		case effect == "certain" && e.Payment == "charged" && e.Refunds == 0:
		case effect == "undone" && (e.Payment == "refunded" && e.Refunds == 1 || e.Payment == ""):
		case effect == "none" && e.Payment == "":
		default:
			has = fmt.Sprintf("the payment is %q with %d refunds", e.Payment, e.Refunds)
		}
	case "reserve-items":
		switch {
		case effect == "certain" && e.all("reserved") && len(e.Reservations) > 0:
		case effect == "undone" && e.all("released"):
		case effect == "none" && len(e.Reservations) == 0:
		default:
			has = fmt.Sprintf("the reservations are %q", e.Reservations)
		}
	case "confirm-order":
		if (effect == "certain") != (e.Order == "confirmed") {
			has = fmt.Sprintf("the order is %q", e.Order)
		}
	case "create-shipment":
		if effect == "certain" && e.Shipments != 1 || effect == "none" && e.Shipments != 0 {
			has = fmt.Sprintf("there are %d shipments", e.Shipments)
		}
	default:
		has = "nobody knows this step"
	}
	return has
}

func (e *Effects) all(status string) bool {
	for _, r := range e.Reservations {
		if r != status {
			return false
		}
	}
	return true
}
