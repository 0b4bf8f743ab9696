package why

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/configs"
	"github.com/skaldhq/skald/test/stack"
)

// site is a stack with one replica and all participants, and what a test knows of it.
type site struct {
	*stack.Stack
	replica      *stack.Replica
	participants map[string]*stack.Process
	tap          *tap
	scenario     string
}

// newSite starts everything, registers the sample saga and carries one order through, so that every group has read something.
func newSite(t *testing.T, s *stack.Stack) *site {
	t.Helper()
	out := &site{Stack: s, participants: s.Participants(), replica: s.Serve()}
	out.replica.Ready(t)
	out.register(t, 1, sample(t))
	s.Settled(1, "orders", "payments", "inventory", "shipping")
	out.tap = newTap(t, s)
	out.scenario = "before"
	require.Equal(t, client.Completed, out.ended(t, out.order(t, stack.Order{})).Status)
	t.Cleanup(func() {
		if !t.Failed() {
			s.Audit()
		}
	})
	return out
}

// in is the site as a scenario has it, whose names are its own.
func (s *site) in(t *testing.T) *site {
	own := *s
	_, own.scenario, _ = strings.Cut(t.Name(), "/")
	return &own
}

// sample is the sample saga's definition.
func sample(t testing.TB) string {
	t.Helper()
	src, err := fs.ReadFile(configs.Definitions(), configs.DefinitionPlacement)
	require.NoError(t, err)
	return string(src)
}

// variant is the sample saga under another name, version 1, with a part of its text replaced.
func variant(t testing.TB, name, old, replaced string) string {
	t.Helper()
	src := sample(t)
	require.Contains(t, src, old)
	return strings.NewReplacer("saga: order-placement", "saga: "+name, old, replaced).Replace(src)
}

// register registers a definition.
func (s *site) register(t testing.TB, version int, src string) {
	t.Helper()
	_, rest, _ := strings.Cut(src, "saga: ")
	name, _, _ := strings.Cut(rest, "\n")
	_, _, err := s.replica.PutDefinition(t.Context(), name, version, []byte(src), true)
	require.NoError(t, err)
}

// order starts the sample saga.
func (s *site) order(t testing.TB, o stack.Order) string { return s.start(t, "order-placement", o) }

func (s *site) start(t testing.TB, name string, o stack.Order) string {
	t.Helper()
	if o.ID == "" {
		o.ID = s.scenario
	}
	started, err := s.replica.Start(t.Context(), client.StartRequest{Saga: name, Input: o.Input()})
	require.NoError(t, err)
	return started.ID
}

// reaches waits until a step of a saga has a status.
func (s *site) reaches(t testing.TB, id, step, status string) {
	t.Helper()
	stack.Eventually(t, 20*time.Second, func(ctx context.Context) error {
		sg, err := s.replica.Saga(ctx, id)
		if err != nil {
			return err
		}
		for _, each := range sg.Steps {
			if each.Name == step && each.Status == status {
				return nil
			}
		}
		return fmt.Errorf("saga %s is %s, its steps are %+v", id, sg.Status, sg.Steps)
	})
}

// ended waits for a saga's end.
func (s *site) ended(t testing.TB, id string) (sg client.Saga) {
	t.Helper()
	stack.Eventually(t, 45*time.Second, func(ctx context.Context) (err error) {
		if sg, err = s.replica.Saga(ctx, id); err == nil && !sg.Status.Terminal() {
			err = fmt.Errorf("saga %s is %s and waits for %+v", id, sg.Status, sg.BlockedOn)
		}
		return err
	})
	return sg
}

// agrees holds a certificate against the participants' own tables.
func (s *site) agrees(t testing.TB, sg *client.Saga) {
	t.Helper()
	world, err := stack.ReadWorld(t.Context(), s.Pool)
	require.NoError(t, err)
	require.NoError(t, world.Agrees(sg))
}

// unavailable is how skald exits when nothing was done and it says to try again.
const unavailable = 3

// cli is what skald prints, which must succeed. Like an operator it tries again where it is told to.
func (s *site) cli(t testing.TB, args ...string) string {
	t.Helper()
	var p *stack.Process
	stack.Eventually(t, 10*time.Second, func(context.Context) error {
		if p = s.skald(t, args...); p.ExitCode() == unavailable {
			return fmt.Errorf("skald %s: %s", strings.Join(args, " "), p.Err)
		}
		return nil
	})
	require.Zero(t, p.ExitCode(), "skald %s: %s", strings.Join(args, " "), p.Err)
	return p.Out.String()
}

func (s *site) skald(t testing.TB, args ...string) *stack.Process {
	t.Helper()
	p := stack.Start(t, []string{"SKALD_SERVER=" + s.replica.URL}, args...)
	require.NoError(t, p.Wait(20*time.Second))
	return p
}

// act has the operator rehearse an action on a saga and then do it. What was rehearsed is what happens: the status that it leads to.
func (s *site) act(t testing.TB, action, id string, flags ...string) {
	t.Helper()
	args := append([]string{"saga", action, id, "--reason", "the runbook says so", "--output", "json"}, flags...)
	var preview client.Preview
	require.NoError(t, json.Unmarshal([]byte(s.cli(t, append(args, "--dry-run")...)), &preview))
	require.True(t, preview.Changed, "%s would change nothing", action)
	var acted client.Acted
	require.NoError(t, json.Unmarshal([]byte(s.cli(t, args...)), &acted))
	require.Equal(t, preview.Next.Status, acted.Status)
	require.Equal(t, preview.Why, acted.Why)
}

// exec changes a participant's own tables, as a person or a mistake would.
func (s *site) exec(t testing.TB, sql string, args ...any) {
	t.Helper()
	tag, err := s.Pool.Exec(t.Context(), sql, args...)
	require.NoError(t, err)
	require.Equal(t, int64(1), tag.RowsAffected(), sql)
}

// busy keeps a sku's stock locked until the answered function is called: inventory waits in the midst of its transaction.
func (s *site) busy(t testing.TB, sku string) (free func()) {
	t.Helper()
	s.exec(t, `INSERT INTO inventory.stock (tenant, sku, on_hand) VALUES ('default', $1, 1000)`, sku)
	tx, err := s.Pool.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), `SELECT FROM inventory.stock WHERE sku = $1 FOR UPDATE`, sku)
	require.NoError(t, err)
	free = func() { _ = tx.Rollback(context.Background()) } // a second time changes nothing
	t.Cleanup(free)
	return free
}
