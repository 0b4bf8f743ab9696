package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/cmd/skald/embedded"
	"github.com/skaldhq/skald/test/stack"
)

// devRun is a running `skald dev -o json`.
type devRun struct {
	*stack.Process
	*client.Client
	URL      string `json:"url"`
	AdminURL string `json:"admin_url"`
	Orders   []struct {
		Saga client.Saga `json:"saga"`
	} `json:"orders"`
}

// startDev runs dev mode on dir until it says that it is up.
func startDev(t *testing.T, dir string) *devRun {
	t.Helper()
	d := &devRun{Process: stack.Start(t, []string{"SKALD_HTTP_ADDR=127.0.0.1:0", "SKALD_ADMIN_ADDR=127.0.0.1:0", "SKALD_DATA_DIR=" + dir}, "dev", "-o", "json")}
	d.awaitUp(t)
	return d
}

func (d *devRun) awaitUp(t *testing.T) {
	t.Helper()
	stack.Eventually(t, 2*time.Minute, func(context.Context) error {
		require.True(t, d.Running(), "skald dev has ended: %s%s", d.Out, d.Err)
		return json.Unmarshal([]byte(d.Out.String()), d)
	})
	var err error
	d.Client, err = client.New(d.URL)
	require.NoError(t, err)
}

// dataDir is a folder that other users may enter: as root, Postgres runs as one of them.
func dataDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "skald-e2e-dev-")
	require.NoError(t, err)
	require.NoError(t, os.Chmod(dir, 0o755))
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return dir
}

func (d *devRun) stops(t *testing.T) {
	t.Helper()
	d.Interrupt()
	require.NoError(t, d.Wait(40*time.Second))
	require.Zero(t, d.ExitCode(), "%s", d.Err)
}

func (d *devRun) saga(t *testing.T, id string) client.Saga {
	t.Helper()
	sg, err := d.Client.Saga(t.Context(), id)
	require.NoError(t, err)
	return sg
}

// TestDev_Restarts: dev mode places its orders, drains, and goes on with what it has: after Ctrl-C, and after a crash with sagas in flight.
func TestDev_Restarts(t *testing.T) {
	if testing.Short() {
		t.Skip("needs servers")
	}
	dir := dataDir(t)

	first := startDev(t, dir)
	require.NoError(t, first.Client.Ready(t.Context()))
	require.Len(t, first.Orders, 3)
	for i, want := range []struct {
		status   client.Status
		verdict  string
		attempts int // of the charge
	}{{client.Completed, "committed", 1}, {client.Compensated, "cleanly_aborted", 1}, {client.Completed, "committed", 2}} {
		sg := first.Orders[i].Saga
		require.Equal(t, want.status, sg.Status)
		require.Equal(t, want.verdict, sg.Certificate.Verdict)
		require.Equal(t, want.attempts, sg.Steps[1].Attempts)
	}
	said := refused(t, 1, []string{"SKALD_DATA_DIR=" + dir}, "dev")
	require.Contains(t, said, "another skald dev runs on "+dir)
	require.Contains(t, said, "--data-dir")
	first.stops(t)

	second := startDev(t, dir)
	for i := range first.Orders {
		before := first.Orders[i].Saga
		require.Equal(t, before.Revision, second.saga(t, before.ID).Revision, "a restart must keep what was there")
		require.NotEqual(t, before.Key, second.Orders[i].Saga.Key, "each start places orders of its own")
	}
	// One that is in flight for 8 s, and some that are wherever the crash finds them.
	slow, err := second.Client.Start(t.Context(), client.StartRequest{Saga: "order-placement", Input: stack.Order{ID: "crash-slow", Token: "tok_slow"}.Input()})
	require.NoError(t, err)
	inFlight := []string{slow.ID}
	for i := range 20 {
		token := "tok_ok"
		if i%5 == 0 {
			token = "tok_declined"
		}
		started, err := second.Client.Start(t.Context(), client.StartRequest{Saga: "order-placement", Input: stack.Order{ID: fmt.Sprintf("crash-%d", i), Token: token}.Input()})
		require.NoError(t, err)
		inFlight = append(inFlight, started.ID)
	}
	stack.Eventually(t, 30*time.Second, func(context.Context) error {
		if sg := second.saga(t, slow.ID); sg.Steps[1].Status != "in_flight" {
			return fmt.Errorf("the charge is %s", sg.Steps[1].Status)
		}
		return nil
	})
	second.Kill()

	third := startDev(t, dir)
	var ended []client.Saga
	for _, id := range inFlight {
		stack.Eventually(t, time.Minute, func(context.Context) error {
			sg := third.saga(t, id)
			if !sg.Status.Terminal() {
				return fmt.Errorf("saga %s is %s, blocked on %+v", sg.Key, sg.Status, sg.BlockedOn)
			}
			return nil
		})
		ended = append(ended, third.saga(t, id))
	}
	for _, sg := range ended {
		require.NotEqual(t, "residue", sg.Certificate.Verdict, sg.Key)
	}
	require.Equal(t, client.Completed, ended[0].Status, "the slow one is answered after the crash")
	third.stops(t)
	agree(t, dir, ended)

	anew := stack.Start(t, []string{"SKALD_HTTP_ADDR=127.0.0.1:0", "SKALD_ADMIN_ADDR=", "SKALD_DATA_DIR=" + dir}, "dev", "--reset", "-o", "json")
	reset := &devRun{Process: anew}
	reset.awaitUp(t)
	list, err := reset.Client.Sagas(t.Context(), client.SagaFilter{})
	require.NoError(t, err)
	require.Len(t, list.Items, 3, "a reset leaves nothing but the new orders")
	reset.stops(t)
}

// agree looks into dev mode's database once that is stopped.
func agree(t *testing.T, dir string, sagas []client.Saga) {
	t.Helper()
	server, err := embedded.StartPostgres(t.Context(), embedded.PostgresConfig{DataDir: dir})
	require.NoError(t, err)
	defer func() { require.NoError(t, server.Stop()) }()
	pool, err := pgxpool.New(t.Context(), server.DSN())
	require.NoError(t, err)
	defer pool.Close()
	world, err := stack.ReadWorld(t.Context(), pool)
	require.NoError(t, err)
	for i := range sagas {
		require.NoError(t, world.Agrees(&sagas[i]))
	}
}

// TestDev_Terminal is what somebody sees who runs it for the first time, on a machine where the port is taken.
func TestDev_Terminal(t *testing.T) {
	if testing.Short() {
		t.Skip("needs servers")
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	d := stack.Start(t, []string{"SKALD_HTTP_ADDR=" + taken.Addr().String(), "SKALD_ADMIN_ADDR=", "NO_COLOR=1"}, "dev", "--ephemeral")
	stack.Eventually(t, 2*time.Minute, func(context.Context) error {
		require.True(t, d.Running(), "skald dev has ended: %s%s", d.Out, d.Err)
		if !strings.Contains(d.Out.String(), "Ctrl-C stops it.") {
			return fmt.Errorf("it is not up yet: %s", d.Out)
		}
		return nil
	})
	out := d.Out.String()
	for _, want := range []string{
		"✓ postgres", "✓ kafka", "✓ schema", "order-placement@1", "orders, payments, inventory, shipping",
		taken.Addr().String() + " is taken by another process",
		"asks payments: ChargePayment.v1", "card_declined: the card was declined", "everything is undone: charge-payment was refused",
		"asks orders: CancelOrder.v1", "failed, will be tried again", "asks payments again, attempt 2",
		"completed · committed", "compensated · cleanly aborted", "dashboard   http://127.0.0.1:", "skald saga list --server http",
	} {
		require.Contains(t, out, want)
	}
	require.NotContains(t, out, "\x1b[", "NO_COLOR is set")
	require.NotContains(t, out, "metrics ", "the admin address is turned off")
	d.Interrupt()
	require.NoError(t, d.Wait(40*time.Second))
	require.Zero(t, d.ExitCode())
	require.Contains(t, d.Out.String(), "Stopped.")
}
