package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/cmd/skald/embedded/embeddedtest"
	"github.com/skaldhq/skald/orchestrator/sim/crashpoint"
	"github.com/skaldhq/skald/test/stack"
)

// dieWithin bounds how long a process may take to come to its point, and recoverWithin how long its sagas may take afterwards.
const (
	dieWithin     = time.Minute
	recoverWithin = time.Minute
)

// lane is one stack on which process after process is killed: each recovers what the one before it left, and then has its own
// round.
type lane struct {
	*testing.T
	s       *stack.Stack
	name    string
	arm     string // the file that says where the present replica dies
	replica *stack.Replica
	ids     map[string]string // of sagas by order
	orders  int
	served  int
	acted   int // actions that were done
}

func newLane(t *testing.T, i int) *lane {
	l := &lane{T: t, s: stack.New(t), name: fmt.Sprintf("lane-%d", i), ids: map[string]string{}}
	l.s.Participants()
	l.serve()
	for _, phase := range crashpoint.AllPhases() {
		src, err := os.ReadFile(fmt.Sprintf("testdata/crashpoint-%s.yaml", phase))
		require.NoError(t, err)
		_, _, err = l.replica.PutDefinition(t.Context(), "crash-"+string(phase), 1, src, true)
		require.NoError(t, err)
	}
	l.s.Settled(1, "orders", "payments", "inventory", "shipping")
	return l
}

// serve starts the next replica. As a static member of its group it takes the place of the dead one, which the group would else
// wait for. Where `at` is given it may die before it is ready.
func (l *lane) serve(at ...crashpoint.At) {
	l.served++
	l.arm = filepath.Join(l.TempDir(), fmt.Sprintf("crash-%d", l.served))
	for _, at := range at {
		l.dies(at)
	}
	l.replica = l.s.ServeTagged("crashpoints", "SKALD_TEST_QUICK=true", "SKALD_TEST_CRASH=@"+l.arm, "SKALD_INSTANCE_ID="+l.name)
	if len(at) == 0 {
		l.replica.Ready(l.T)
	}
}

// dies tells the present replica where to.
func (l *lane) dies(at crashpoint.At) {
	require.NoError(l, os.WriteFile(l.arm+".new", []byte(at.String()), 0o644))
	require.NoError(l, os.Rename(l.arm+".new", l.arm))
}

// dead checks that the present replica has died where it should.
func (l *lane) dead(r round, p crashpoint.Point) {
	require.NoError(l, l.replica.Wait(dieWithin), "%s: %s was never hit", r, p)
	require.Contains(l, l.replica.Err.String(), "crash point "+string(p)+"\n", "%s: the replica ended for another reason", r)
}

// play is one round.
func (l *lane) play(r round) {
	began := time.Now()
	at := crashpoint.At{Point: r.point, Phase: r.phase}
	switch r.point {
	case crashpoint.StartBegin, crashpoint.StartInserted, crashpoint.StartUnknown, crashpoint.StartCommitted:
		at.Phase = "" // there is no other saga
	case crashpoint.Draining:
		if r.phase == crashpoint.PivotPending || r.phase == crashpoint.Attention {
			at.N = 2 // not as it begins but as the group is left
		}
	case crashpoint.RelayTaken: // only what nobody has published is taken: there, the next process dies
		at.Point = crashpoint.RelayProducing
	}
	l.dies(at)
	var orders []stack.Order
	for alive := true; alive; { // a saga may pass the point in another phase; another one then does not
		require.Less(l, len(orders), 5, "%s was never hit", r)
		orders = append(orders, l.order(r))
		alive = l.meets(r, orders[len(orders)-1])
	}
	l.dead(r, at.Point)
	if r.point == crashpoint.RelayTaken {
		l.serve(crashpoint.At{Point: r.point})
		l.dead(r, r.point)
	}
	l.serve()
	took := time.Since(began)
	for _, order := range orders {
		l.start(r, order)
		l.ended(r, order)
	}
	if r.point == crashpoint.ActAudited {
		require.Zero(l, l.audited(), "%s: the action is gone, its audit row is not", r)
	}
	l.Logf("%s: killed and replaced in %s, ended after %s", r, took.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
}

// order is a new order, of the definition that goes through the round's phase.
func (l *lane) order(r round) stack.Order {
	order := stack.Order{ID: fmt.Sprintf("%s-%d", r, l.orders), Token: "tok_flaky"}
	if l.orders++; r.phase == crashpoint.Compensating {
		order.Token, order.SKU = "tok_lost", "sku-sold-out"
	}
	return order
}

// meets starts a saga and does what the point needs beside it. It reports whether the replica outlives the saga.
func (l *lane) meets(r round, order stack.Order) (alive bool) {
	l.start(r, order)
	provoked := r.point != crashpoint.ActAudited && r.point != crashpoint.Draining
	stack.Eventually(l, dieWithin, func(ctx context.Context) error {
		if !l.replica.Running() {
			return nil
		}
		sg, err := l.replica.Saga(ctx, l.ids[order.ID])
		switch {
		case err != nil:
			return err
		case sg.Status.Terminal():
			alive = true
			return nil
		case !provoked && phaseOf(&sg) == r.phase:
			provoked = true
			l.provoke(r, sg.ID)
		}
		return fmt.Errorf("%s: the replica lives, and saga %s is %s, blocked on %+v", r, sg.ID, sg.Status, sg.BlockedOn)
	})
	return alive
}

// provoke is an operator's action or a shutdown.
func (l *lane) provoke(r round, id string) {
	if r.point == crashpoint.Draining {
		l.replica.Interrupt()
		return
	}
	// Where the saga has moved on meanwhile the action is done; the next saga then meets the point.
	if _, err := l.replica.Act(l.Context(), id, client.ActionPause, client.ActRequest{Reason: "crash"}); err == nil {
		_, err = l.replica.Act(l.Context(), id, client.ActionResume, client.ActRequest{Reason: "crash"})
		require.NoError(l, err)
		l.acted += 2
	}
}

// start asks for the saga, as a client does that asks again after a lost answer, and checks that it is always the same.
func (l *lane) start(r round, order stack.Order) {
	l.Helper()
	began := time.Now()
	for {
		started, err := l.replica.Start(l.Context(), client.StartRequest{Saga: "crash-" + string(r.phase), Input: order.Input()}, client.WithIdempotencyKey("place-"+order.ID))
		if err == nil {
			if known := l.ids[order.ID]; known != "" {
				require.Equal(l, known, started.ID, "%s: two sagas for one Idempotency-Key (S2)", r)
			}
			l.ids[order.ID] = started.ID
			return
		}
		var answer *client.Error
		require.False(l, errors.As(err, &answer) && !answer.Retryable, "%s: %v", r, err)
		if !l.replica.Running() {
			return // it died before it answered: the next is asked
		}
		require.Less(l, time.Since(began), dieWithin, "%s: %v", r, err)
	}
}

// phaseOf is crashpoint.PhaseOf by what the API says.
func phaseOf(sg *client.Saga) crashpoint.Phase {
	switch {
	case sg.Status.Terminal():
		return ""
	case len(sg.Attention) > 0:
		return crashpoint.Attention
	case sg.Status == client.Compensating:
		return crashpoint.Compensating
	}
	for _, s := range sg.Steps {
		if s.Kind == "pivot" && (s.Status == "in_flight" || s.Status == "backing_off") {
			return crashpoint.PivotPending
		}
	}
	return crashpoint.Forward
}

// audited is how many actions have an audit row, and none of those that were done. Definitions have rows too.
func (l *lane) audited() (n int) {
	require.NoError(l, l.s.Pool.QueryRow(l.Context(), `SELECT count(*) FROM skald.audit`).Scan(&n))
	return n - l.acted - len(crashpoint.AllPhases())
}

// ended waits for the saga's end and looks at it.
func (l *lane) ended(r round, order stack.Order) {
	l.Helper()
	id := l.ids[order.ID]
	var sg client.Saga
	stack.Eventually(l, recoverWithin, func(ctx context.Context) (err error) {
		if sg, err = l.replica.Saga(ctx, id); err == nil && !sg.Status.Terminal() {
			err = fmt.Errorf("%s: saga %s is %s, paused %t, blocked on %+v", r, id, sg.Status, sg.Paused, sg.BlockedOn)
		}
		return err
	})
	want := client.Completed
	if r.phase == crashpoint.Compensating {
		want = client.Compensated
	}
	require.Equal(l, want, sg.Status, "%s: %+v", r, sg)
	require.Empty(l, sg.Attention, "%s", r)
	world, err := stack.ReadWorld(l.Context(), l.s.Pool)
	require.NoError(l, err, "%s", r)
	require.NoError(l, world.Agrees(&sg), "%s", r)
}

// end looks at the lane as a whole: as many sagas as orders, nothing left over, and an audit that finds nothing.
func (l *lane) end() {
	stack.Eventually(l, recoverWithin, func(ctx context.Context) error {
		var waiting, live, quarantined int
		err := l.s.Pool.QueryRow(ctx, `SELECT (SELECT count(*) FROM skald.outbox WHERE retry_at < 'infinity'),
	(SELECT count(*) FROM skald.sagas WHERE wake_at IS NOT NULL), (SELECT count(*) FROM skald.quarantine)`).Scan(&waiting, &live, &quarantined)
		if err == nil && waiting+live+quarantined > 0 {
			err = fmt.Errorf("%d rows are in the outbox, %d sagas live, %d records are in quarantine", waiting, live, quarantined)
		}
		return err
	})
	require.EqualValues(l, l.orders, l.s.Audit().Checked.Sagas, "another number of sagas than orders")
}

// testMigrating: a process that dies between two migrations leaves what another one goes on from.
func testMigrating(t *testing.T) {
	env := []string{
		"SKALD_DATABASE_URL=" + embeddedtest.Database(t), "SKALD_KAFKA_BROKERS=" + strings.Join(embeddedtest.Kafka(t), ","),
		"SKALD_HTTP_ADDR=127.0.0.1:0", "SKALD_ADMIN_ADDR=",
	}
	for n := 1; ; n++ { // the first migration, the first of those left, ...
		p := stack.StartTagged(t, "crashpoints", append(env, "SKALD_TEST_CRASH=migrating"), "serve", "--migrate")
		died := func() bool { return strings.Contains(p.Err.String(), "crash point migrating\n") }
		stack.Eventually(t, dieWithin, func(context.Context) error {
			if p.Running() && !strings.Contains(p.Err.String(), "msg=serving") {
				return errors.New("it neither died nor serves")
			}
			return nil
		})
		if !died() {
			require.Greater(t, n, 2, "no process died between migrations")
			break
		}
		require.NoError(t, p.Wait(dieWithin))
	}
	out := stack.Start(t, env, "migrate", "status")
	require.NoError(t, out.Wait(dieWithin))
	require.NotContains(t, out.Out.String(), "  no\n")
}
