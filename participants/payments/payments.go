package payments

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/skaldhq/skald/participants"
	"github.com/skaldhq/skald/participants/inbox"
	"github.com/skaldhq/skald/participants/internal/label"
	"github.com/skaldhq/skald/participants/wire"
)

// Name is the participant's, and its schema's.
const Name = "payments"

// SlowDelay is how long tok_slow waits before its transaction is opened.
const SlowDelay = 8 * time.Second

// The tokens that choose what happens.
const (
	tokenDeclined = "tok_declined"
	tokenFlaky    = "tok_flaky"
	tokenSlow     = "tok_slow"
	tokenLost     = "tok_lost"
)

const (
	chargeCommand = "ChargePayment.v1"
	refundCommand = "RefundPayment.v1"
)

// Setup makes the schema and its tables where they are missing. It is safe to call from many processes at once.
func Setup(ctx context.Context, pool *pgxpool.Pool) error {
	if err := inbox.Migrate(ctx, pool, Name, createPaymentsSQL, createRefundsSQL); err != nil {
		return fmt.Errorf("set up %s: %w", Name, err)
	}
	return nil
}

// New returns the participant on a database where Setup was called.
func New(pool *pgxpool.Pool, config participants.Config) *participants.Participant {
	return newWith(pool, config, func(ctx context.Context) error {
		select {
		case <-time.After(SlowDelay):
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	})
}

// newWith is New with what tok_slow waits for.
func newWith(pool *pgxpool.Pool, config participants.Config, slow func(context.Context) error) *participants.Participant {
	p := participants.New(Name, inbox.New(pool, Name), config)
	p.Use(act(slow))
	p.Handle(chargeCommand, inbox.Handler(charge), nil)
	p.Handle(refundCommand, nil, inbox.Handler(refund))
	return p
}

type payload struct {
	OrderID     string `json:"order_id"`
	AmountCents int64  `json:"amount_cents"`
	Token       string `json:"token"`
}

type charged struct {
	PaymentID   string `json:"payment_id"`
	AmountCents int64  `json:"amount_cents"`
}

type refunded struct {
	RefundID    string `json:"refund_id"`
	PaymentID   string `json:"payment_id"`
	AmountCents int64  `json:"amount_cents"`
}

// act does what tokens do outside of the transaction.
func act(slow func(context.Context) error) participants.Middleware {
	return func(next participants.HandlerFunc) participants.HandlerFunc {
		return func(ctx context.Context, req *participants.Request) (participants.Result, error) {
			if req.Name != chargeCommand || req.Verb != wire.Execute {
				return next(ctx, req)
			}
			var p payload
			if req.Decode(&p) != nil {
				return next(ctx, req) // whose handler rejects it
			}
			switch p.Token {
			case tokenSlow:
				if err := slow(ctx); err != nil {
					return participants.Result{}, err
				}
			case tokenLost:
				if _, err := next(ctx, req); err != nil && ctx.Err() != nil {
					return participants.Result{}, err // stopped, not lost: delivered again
				}
				return participants.Result{}, participants.ErrNoReply
			}
			return next(ctx, req)
		}
	}
}

func charge(ctx context.Context, tx pgx.Tx, req *participants.Request) (participants.Result, error) {
	var p payload
	if err := req.Decode(&p); err != nil {
		return participants.Reject(wire.CodeInvalidPayload, err.Error())
	}
	switch {
	case p.OrderID == "" || p.Token == "":
		return participants.Reject(wire.CodeInvalidPayload, "order_id or token is missing")
	case p.AmountCents < 0:
		return participants.Reject(wire.CodeInvalidPayload, "amount_cents is negative")
	case p.Token == tokenDeclined:
		return participants.Reject("card_declined", "the card was declined")
	case p.Token == tokenFlaky && req.Attempt == 1:
		return participants.Fail("gateway_unavailable", "the card gateway did not answer")
	}
	id := label.From("pay", req.ID)
	if err := insertPayment(ctx, tx, req, id, p); err != nil {
		return participants.Result{}, err
	}
	return participants.Succeed(charged{PaymentID: id, AmountCents: p.AmountCents})
}

// refund undoes the execute that the barrier knows, whether or not the engine heard of it: the payment's id comes from
// that command's.
func refund(ctx context.Context, tx pgx.Tx, req *participants.Request) (participants.Result, error) {
	r := refunded{RefundID: label.From("ref", req.ID), PaymentID: label.From("pay", req.Executed.CommandID)}
	found, err := refundPayment(ctx, tx, req.Tenant, &r)
	if err != nil {
		return participants.Result{}, err
	}
	if !found {
		return participants.Reject("payment_unknown", fmt.Sprintf("no charged payment %s", r.PaymentID))
	}
	return participants.Succeed(r)
}
