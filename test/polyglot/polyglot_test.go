package polyglot

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/configs"
	"github.com/skaldhq/skald/participants"
	"github.com/skaldhq/skald/participants/kafka"
	"github.com/skaldhq/skald/participants/wire"
	"github.com/skaldhq/skald/test/stack"
)

// bench is one replica with orders, inventory and shipping in Go, and payments in Python.
type bench struct {
	*stack.Stack
	*stack.Replica
	interpreter string
}

func setup(t *testing.T) *bench {
	t.Helper()
	interpreter := python(t)
	s := stack.New(t)
	for _, name := range []string{"orders", "inventory", "shipping"} {
		s.Participant(name)
	}
	b := &bench{Stack: s, Replica: s.Serve().Ready(t), interpreter: interpreter}
	quick, err := os.ReadFile("../e2e/testdata/order-quick.yaml")
	require.NoError(t, err)
	b.apply(t, "order-quick", quick)
	placement, err := fs.ReadFile(configs.Definitions(), "order-placement.yaml")
	require.NoError(t, err)
	b.apply(t, "order-placement", placement)
	return b
}

func (b *bench) apply(t *testing.T, name string, src []byte) {
	t.Helper()
	_, created, err := b.Client.PutDefinition(t.Context(), name, 1, src, true)
	require.NoError(t, err)
	require.True(t, created)
}

// python runs a program of the SDK's folder on the stack's servers.
func (b *bench) python(t *testing.T, program string) *stack.Process {
	t.Helper()
	src, err := filepath.Abs(filepath.Join(sdk, "src"))
	require.NoError(t, err)
	return b.Program([]string{"PYTHONPATH=" + src, "PYTHONDONTWRITEBYTECODE=1", "PYTHONUNBUFFERED=1"}, b.interpreter, filepath.Join(sdk, program))
}

func (b *bench) payments(t *testing.T) *stack.Process {
	return b.python(t, "examples/payments/payments.py")
}

// ends waits until the saga has ended, and checks its certificate against the participants' tables.
func (b *bench) ends(t *testing.T, id string) client.Saga {
	t.Helper()
	var sg client.Saga
	stack.Eventually(t, 2*time.Minute, func(ctx context.Context) error {
		var err error
		if sg, err = b.Client.Saga(ctx, id); err == nil && !sg.Status.Terminal() {
			err = fmt.Errorf("saga %s (%s) is %s, blocked on %+v", sg.ID, sg.Key, sg.Status, sg.BlockedOn)
		}
		return err
	})
	world, err := stack.ReadWorld(t.Context(), b.Pool)
	require.NoError(t, err)
	require.NoError(t, world.Agrees(&sg), "the certificate must say what the tables hold")
	return sg
}

func effects(sg *client.Saga) map[string]string {
	out := map[string]string{}
	for _, e := range sg.Certificate.Effects {
		out[e.Step] = e.Effect
	}
	return out
}

func steps(create, charge, reserve, confirm, ship string) map[string]string {
	return map[string]string{"create-order": create, "charge-payment": charge, "reserve-items": reserve, "confirm-order": confirm, "create-shipment": ship}
}

// path is a way through payments.
type path struct {
	name    string
	saga    string
	order   stack.Order
	status  client.Status
	verdict string
	abort   string // reason and step
	effects map[string]string
}

func paid(name, token string) path {
	return path{
		name: name, saga: "order-placement", order: stack.Order{Token: token},
		status: client.Completed, verdict: "committed", effects: steps("certain", "certain", "certain", "certain", "certain"),
	}
}

func aborted(name, saga string, order stack.Order, abort, charge string) path {
	return path{
		name: name, saga: saga, order: order, status: client.Compensated, verdict: "cleanly_aborted", abort: abort,
		effects: steps("undone", charge, "none", "none", "none"),
	}
}

// goes starts all paths at once, so that slow ones wait together, and checks how each ended.
func (b *bench) goes(t *testing.T, paths ...path) (ids map[string]string) {
	t.Helper()
	ids = map[string]string{}
	for _, p := range paths {
		p.order.ID = "polyglot-" + p.name
		started, err := b.Client.Start(t.Context(), client.StartRequest{Saga: p.saga, Input: p.order.Input()})
		require.NoError(t, err)
		ids[p.name] = started.ID
	}
	for _, p := range paths {
		t.Run(p.name, func(t *testing.T) {
			sg := b.ends(t, ids[p.name])
			require.Equal(t, p.status, sg.Status)
			require.Equal(t, p.verdict, sg.Certificate.Verdict)
			require.Empty(t, sg.Certificate.Residue)
			require.Empty(t, cmp.Diff(p.effects, effects(&sg)))
			if p.abort == "" {
				require.Nil(t, sg.Abort)
				return
			}
			require.Equal(t, p.abort, sg.Abort.Reason+" "+sg.Abort.Step)
		})
	}
	return ids
}

// TestPaths goes the ways of the Go participant's end-to-end test, with payments in Python.
func TestPaths(t *testing.T) {
	t.Parallel()
	b := setup(t)
	payments := b.payments(t)
	ids := b.goes(
		t,
		paid("Paid", "tok_ok"), paid("Flaky", "tok_flaky"), paid("Slow", "tok_slow"),
		aborted("Declined", "order-placement", stack.Order{Token: "tok_declined"}, "step_rejected charge-payment", "none"),
		aborted("TooSlow", "order-quick", stack.Order{Token: "tok_slow"}, "step_unknown charge-payment", "undone"),
		aborted("Lost", "order-quick", stack.Order{Token: "tok_lost"}, "step_unknown charge-payment", "undone"),
		aborted("SoldOut", "order-placement", stack.Order{SKU: "sku-sold-out"}, "step_rejected reserve-items", "undone"),
	)
	world, err := stack.ReadWorld(t.Context(), b.Pool)
	require.NoError(t, err)
	require.Equal(t, "refunded", world[ids["Lost"]].Payment, "what is undone has to have been done")
	payments.Terminate()
	require.NoError(t, payments.Wait(40*time.Second), "it drains")
	require.Zero(t, payments.ExitCode())
	b.Audit()
}

// TestPlain: a participant that is written from docs/protocol.md alone stands in for payments.
func TestPlain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const program = "examples/plain/plain.py"
	source, err := os.ReadFile(filepath.Join(sdk, program))
	require.NoError(t, err)
	require.Less(t, bytes.Count(source, []byte("\n")), 120, "a stranger's afternoon")
	b.python(t, program)
	twice := b.duplicates(t)
	b.goes(
		t,
		paid("Paid", "tok_ok"),
		aborted("Declined", "order-placement", stack.Order{Token: "tok_declined"}, "step_rejected charge-payment", "none"),
		aborted("SoldOut", "order-placement", stack.Order{SKU: "sku-sold-out"}, "step_rejected reserve-items", "undone"),
	)
	require.GreaterOrEqual(t, twice.Load(), int64(4))
	b.Audit()
}

// killedOrders is more than the gate's patience allows where somebody asks for it.
var killedOrders = flag.Int("orders", 60, "how many orders TestKilled places")

// TestKilled: payments is killed again and again while orders are placed and every command to it comes twice. Nothing is lost, and
// nothing is done twice.
func TestKilled(t *testing.T) {
	t.Parallel()
	const kills = 3
	orders := *killedOrders
	b := setup(t)
	payments := b.payments(t)
	twice := b.duplicates(t)
	var placed map[string]string
	var placing sync.WaitGroup
	load := &stack.Load{Saga: "order-placement", Replicas: []*client.Client{b.Client}}
	charged := func(at int) {
		stack.Eventually(t, time.Minute, func(ctx context.Context) error {
			var n int
			err := b.Pool.QueryRow(ctx, `SELECT count(*) FROM payments.payments`).Scan(&n)
			if err == nil && n < at {
				err = fmt.Errorf("%d payments of %d", n, at)
			}
			return err
		})
	}
	var failed error
	placing.Go(func() { placed, failed = load.Place(t.Context(), stack.Orders("killed", orders)) })
	for i := range kills {
		charged(1 + i*orders/(2*kills)) // in the midst of it, not between two orders
		payments.Kill()
		payments = b.payments(t)
	}
	placing.Wait()
	require.NoError(t, failed)
	require.Len(t, placed, orders)
	for order, id := range placed {
		sg := b.ends(t, id)
		want := client.Completed
		if order[len(order)-1] == '0' { // every tenth is declined
			want = client.Compensated
		}
		require.Equal(t, want, sg.Status, order)
		require.Empty(t, sg.Certificate.Residue)
	}
	require.GreaterOrEqual(t, twice.Load(), int64(orders))
	b.Audit()
}

// duplicates has every command to payments come twice, until the test ends.
func (b *bench) duplicates(t *testing.T) *atomic.Int64 {
	t.Helper()
	const mark = "x-duplicate" // a header that nobody knows is ignored
	sent := &atomic.Int64{}
	transport, err := kafka.New(kafka.Config{Brokers: b.Brokers()})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	var reading sync.WaitGroup
	reading.Go(func() {
		_ = transport.Consume(ctx, b.Topics().Commands("payments"), b.Group("duplicates"), func(d participants.Delivery) {
			if _, is := d.Record.Header(mark); is {
				d.Finish(nil)
				return
			}
			again := d.Record
			again.Headers = append(again.Headers[:len(again.Headers):len(again.Headers)], wire.Header{Key: mark, Value: []byte("1")})
			sent.Add(1)
			transport.Send(again, d.Finish)
		})
	})
	t.Cleanup(func() {
		cancel()
		reading.Wait()
		require.NoError(t, transport.Close())
	})
	return sent
}
