package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/skaldhq/skald/api/client"
)

// placedOrder is one of dev mode's orders and what became of it.
type placedOrder struct {
	Title   string        `json:"title"`
	Saga    client.Saga   `json:"saga"`
	History []client.Fact `json:"-"`
	Graph   client.Graph  `json:"-"`
}

// orderLimit bounds how long an order may take; the slowest has one retry.
const orderLimit = 30 * time.Second

// placeOrders starts three orders with new ids and waits for their ends.
func placeOrders(ctx context.Context, c *client.Client) ([]placedOrder, error) {
	placed := []placedOrder{
		{Title: "an order that is paid and shipped"},
		{Title: "an order whose card is declined: what was done is undone"},
		{Title: "an order whose payment fails once, and is tried again"},
	}
	group, ctx := errgroup.WithContext(ctx)
	for i, token := range []string{"tok_ok", "tok_declined", "tok_flaky"} {
		group.Go(func() error {
			return placed[i].place(ctx, c, token)
		})
	}
	return placed, group.Wait()
}

// place starts an order and waits for its end.
func (p *placedOrder) place(ctx context.Context, c *client.Client, token string) error {
	ctx, cancel := context.WithTimeout(ctx, orderLimit)
	defer cancel()
	input, err := json.Marshal(map[string]any{
		"order_id": "order-" + strings.ToLower(rand.Text()[:6]), "customer_id": "customer-1", "amount_cents": 4200, "payment_token": token,
		"ship_to": "Reykjavik", "items": []map[string]any{{"sku": "sku-1", "quantity": 2}},
	})
	if err != nil {
		return err
	}
	started, err := c.Start(ctx, client.StartRequest{Saga: "order-placement", Input: input})
	if err != nil {
		return err
	}
	err = await(ctx, 20*time.Millisecond, func(ctx context.Context) error {
		var err error
		if p.Saga, err = c.Saga(ctx, started.ID); err == nil && !p.Saga.Status.Terminal() {
			err = fmt.Errorf("saga %s is %s", started.ID, p.Saga.Status)
		}
		return err
	})
	if err != nil {
		return err
	}
	if p.Graph, err = c.Graph(ctx, started.ID); err != nil {
		return err
	}
	p.History, err = settledHistory(ctx, c, started.ID)
	return err
}

// settledHistory is a saga's history once it is known where in Kafka all its commands stand, which is stored a moment after
// they were acknowledged.
func settledHistory(ctx context.Context, c *client.Client, id string) (facts []client.Fact, err error) {
	soon, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	errOpen := errors.New("a command's place is not known yet")
	err = await(soon, 50*time.Millisecond, func(ctx context.Context) error {
		var err error
		if facts, err = history(ctx, c, id); err != nil {
			return err
		}
		for _, f := range facts {
			if (f.Type == "step.started" || f.Type == "undo.started") && f.Record == nil {
				return errOpen
			}
		}
		return nil
	})
	if errors.Is(err, errOpen) {
		return facts, nil
	}
	return facts, err
}

// report shows what happened and what to do with it.
func (d *dev) report(placed []placedOrder) error {
	s := d.term.style
	web, admin := urlOf(d.srv.web), urlOf(d.srv.admin)
	if d.term.json {
		return writeJSON(d.term.out, map[string]any{"url": web, "admin_url": admin, "kafka_brokers": d.cfg.Kafka.Brokers, "data_dir": d.own.kept(), "orders": placed})
	}
	for i, p := range placed {
		fmt.Fprintf(d.term.out, "\n  %s %s\n    ", s.bold(fmt.Sprintf("%d", i+1)), s.bold(p.Title))
		headline(d.term, &p.Saga, time.Now())
		lines := newTimeline(d.term.out, s, "  ", p.Saga.CreatedAt, &p.Graph)
		for j := range p.History {
			lines.fact(&p.History[j])
		}
	}
	d.say("\n  %s %s\n\n", s.good("ready"), s.dim("after "+took(time.Since(d.began))))
	d.link("dashboard", web)
	d.link("API", web+"/docs")
	if admin != "" {
		d.link("metrics", admin+"/metrics")
	}
	server := ""
	if web != "http://127.0.0.1:8080" {
		server = " --server " + web
	}
	d.say("\n  In another terminal:\n")
	d.say("    skald saga list%s\n", server)
	d.say("    skald saga get%s %s\n", server, placed[1].Saga.Key)
	d.say("\n  Ctrl-C stops it.\n")
	return nil
}

func (d *dev) link(what, url string) { d.say("  %s %s\n", pad(what, 11), d.term.style.out(url)) }
