package e2e

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/configs"
	"github.com/skaldhq/skald/test/stack"
)

// bench is one replica with all participants and definitions.
type bench struct {
	*stack.Stack
	*stack.Replica
}

// setup runs one, for all subtests of a test.
func setup(t *testing.T) *bench {
	t.Helper()
	if testing.Short() {
		t.Skip("needs servers")
	}
	s := stack.New(t)
	s.Participants()
	b := &bench{Stack: s, Replica: s.Serve().Ready(t)}
	quick, err := os.ReadFile("testdata/order-quick.yaml")
	require.NoError(t, err)
	b.apply(t, "order-quick", quick)
	for _, name := range []string{"order-placement", "order-parallel", "order-deposit"} {
		src, err := fs.ReadFile(configs.Definitions(), name+".yaml")
		require.NoError(t, err)
		b.apply(t, name, src)
	}
	return b
}

func (b *bench) apply(t *testing.T, name string, src []byte) {
	t.Helper()
	_, created, err := b.Client.PutDefinition(t.Context(), name, 1, src, true)
	require.NoError(t, err)
	require.True(t, created)
}

// ends waits until the saga has ended, and checks its certificate against the participants' tables.
func (b *bench) ends(t *testing.T, id string) client.Saga {
	t.Helper()
	var sg client.Saga
	stack.Eventually(t, time.Minute, func(ctx context.Context) error {
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

// TestPaths goes every way through the reference participants.
func TestPaths(t *testing.T) {
	t.Parallel()
	b := setup(t)
	cases := []struct {
		name    string
		saga    string
		order   stack.Order
		status  client.Status
		verdict string
		abort   string // reason and step
		effects map[string]string
	}{
		{
			name: "Paid", saga: "order-placement", order: stack.Order{Token: "tok_ok"},
			status: client.Completed, verdict: "committed", effects: steps("certain", "certain", "certain", "certain", "certain"),
		},
		{
			name: "Free", saga: "order-placement", order: stack.Order{Free: true},
			status: client.Completed, verdict: "committed", effects: steps("certain", "none", "certain", "certain", "certain"),
		},
		{
			name: "Declined", saga: "order-placement", order: stack.Order{Token: "tok_declined"},
			status: client.Compensated, verdict: "cleanly_aborted", abort: "step_rejected charge-payment",
			effects: steps("undone", "none", "none", "none", "none"),
		},
		{
			name: "Flaky", saga: "order-placement", order: stack.Order{Token: "tok_flaky"},
			status: client.Completed, verdict: "committed", effects: steps("certain", "certain", "certain", "certain", "certain"),
		},
		{ // the first attempt is answered after the second was sent, and counts (design rule 2)
			name: "Slow", saga: "order-placement", order: stack.Order{Token: "tok_slow"},
			status: client.Completed, verdict: "committed", effects: steps("certain", "certain", "certain", "certain", "certain"),
		},
		{ // given up before it is charged: the charge still happens, and is refunded (S13)
			name: "TooSlow", saga: "order-quick", order: stack.Order{Token: "tok_slow"},
			status: client.Compensated, verdict: "cleanly_aborted", abort: "step_unknown charge-payment",
			effects: steps("undone", "undone", "none", "none", "none"),
		},
		{ // charged and never answered: unknown is compensated too (design rule 4)
			name: "Lost", saga: "order-quick", order: stack.Order{Token: "tok_lost"},
			status: client.Compensated, verdict: "cleanly_aborted", abort: "step_unknown charge-payment",
			effects: steps("undone", "undone", "none", "none", "none"),
		},
		{
			name: "SoldOut", saga: "order-placement", order: stack.Order{SKU: "sku-sold-out"},
			status: client.Compensated, verdict: "cleanly_aborted", abort: "step_rejected reserve-items",
			effects: steps("undone", "undone", "none", "none", "none"),
		},
		{
			name: "ParallelPaid", saga: "order-parallel", order: stack.Order{},
			status: client.Completed, verdict: "committed", effects: steps("certain", "certain", "certain", "certain", "certain"),
		},
	}
	// All at once, so that the slow ones wait together.
	ids := map[string]string{}
	for _, c := range cases {
		c.order.ID = "path-" + c.name
		started, err := b.Client.Start(t.Context(), client.StartRequest{Saga: c.saga, Input: c.order.Input()})
		require.NoError(t, err)
		require.Equal(t, c.order.ID, started.Key)
		ids[c.name] = started.ID
	}
	t.Run("Nowhere", func(t *testing.T) { nowhere(t, b) })
	t.Run("BadInputs", func(t *testing.T) { badInputs(t, b) })
	t.Run("CommandLine", func(t *testing.T) { commandLine(t, b) })
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			sg := b.ends(t, ids[c.name])
			require.Equal(t, c.status, sg.Status)
			require.Equal(t, c.verdict, sg.Certificate.Verdict)
			require.Empty(t, sg.Certificate.Residue)
			require.Empty(t, cmp.Diff(c.effects, effects(&sg)))
			if c.abort == "" {
				require.Nil(t, sg.Abort)
				require.JSONEq(t, fmt.Sprintf("%q", "path-"+c.name), field(t, sg.Output, "order_id"))
				return
			}
			require.Equal(t, c.abort, sg.Abort.Reason+" "+sg.Abort.Step)
		})
	}
	t.Run("Audit", func(t *testing.T) { audits(t, b) })
	t.Run("GivenUpAndRefunded", func(t *testing.T) {
		// What is undone has to have been done: both were really charged.
		world, err := stack.ReadWorld(t.Context(), b.Pool)
		require.NoError(t, err)
		for _, name := range []string{"TooSlow", "Lost"} {
			require.Equal(t, "refunded", world[ids[name]].Payment, name)
		}
	})
	b.Audit()
}

// nowhere: a retriable step that fails for ever never turns the saga round; a person ends it (design rules 4, 8, 12).
func nowhere(t *testing.T, b *bench) {
	ctx := t.Context()
	started, err := b.Client.Start(ctx, client.StartRequest{Saga: "order-quick", Input: stack.Order{ID: "path-nowhere", ShipTo: "nowhere"}.Input()})
	require.NoError(t, err)
	stack.Eventually(t, 30*time.Second, func(ctx context.Context) error {
		sg, err := b.Client.Saga(ctx, started.ID)
		if err == nil && (len(sg.Attention) == 0 || sg.Attention[0].Reason != "exhausted" || sg.Attention[0].Step != "create-shipment") {
			err = fmt.Errorf("attention is %+v", sg.Attention)
		}
		return err
	})
	_, err = b.Client.Act(ctx, started.ID, client.ActionCancel, client.ActRequest{Reason: "too late"})
	var refused *client.Error
	require.ErrorAs(t, err, &refused)
	require.Equal(t, "past_pivot", refused.Code)
	require.Equal(t, 409, refused.Status)
	require.Contains(t, refused.Possible, "abandon")

	acted, err := b.Client.Act(ctx, started.ID, client.ActionComplete,
		client.ActRequest{Step: "create-shipment", Reason: "sent by hand", Output: []byte(`{"shipment_id": "by-hand"}`)})
	require.NoError(t, err)
	require.Equal(t, client.Completed, acted.Status)
	sg, err := b.Client.Saga(ctx, started.ID)
	require.NoError(t, err)
	require.Equal(t, "committed", sg.Certificate.Verdict)
	require.JSONEq(t, `"by-hand"`, field(t, sg.Output, "shipment_id"))
}
