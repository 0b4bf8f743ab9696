package rehearsal

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// definitions have what makes actions interesting: branches, a pivot, conditions, probes, outputs that are checked, expressions that
// fail for some inputs, and a second version to rebind to. Nothing times out while the test runs.
func definitions() []string {
	const policy = `defaults: {timeout: 1h, retry: {max_attempts: 3, initial: 1h, multiplier: 2, max: 4h, jitter: 0.2}}`
	line := func(version int, payload string) string {
		return fmt.Sprintf(`
saga: line
version: %d
%s
steps:
  - {name: one, participant: alpha, command: Do.v1, payload: {n: "${%s}"}, returns: {type: object, required: [ok]}, compensation: {command: Undo.v1}}
  - {name: two, participant: beta, command: Do.v1, payload: {of: "${steps.one.output}"}, probe: Ask.v1, compensation: {command: Undo.v1, payload: {of: "${output}", n: "${input.n}"}}}
  - {name: gate, participant: alpha, command: Do.v1, kind: pivot}
  - {name: ship, participant: gamma, command: Do.v1, kind: retriable}
output: {one: "${steps.one.output}"}
`, version, policy, payload)
	}
	return []string{line(1, "input.n + 1"), line(2, "input.n"), `
saga: fork
version: 1
` + policy + `
steps:
  - {name: root, participant: alpha, command: Do.v1, compensation: {command: Undo.v1}}
  - {name: left, participant: beta, command: Do.v1, after: [root], compensation: {command: Undo.v1}}
  - {name: right, participant: gamma, command: Do.v1, after: [root], when: "input.n != 3", compensation: {command: Undo.v1, payload: {x: "${input.n + 1}"}}}
  - {name: look, participant: alpha, command: Do.v1, after: [root], effect: none}
  - {name: join, participant: beta, command: Do.v1, after: [left, right, look], compensation: {command: Undo.v1}}
`}
}

// sagas is how many are rehearsed: SKALD_TEST_REHEARSALS, or 2,000.
func sagas(t *testing.T) int {
	t.Helper()
	text := os.Getenv("SKALD_TEST_REHEARSALS")
	if text == "" {
		return 2000
	}
	n, err := strconv.Atoi(text)
	require.NoError(t, err)
	return n
}

// TestDryRun_IsWhatThenHappens rehearses a random action on a random saga at one replica and does it on another: next state, facts,
// and the bytes of commands are the same, but for times, jitter, tokens and traces; and so is a refusal.
func TestDryRun_IsWhatThenHappens(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts Postgres")
	}
	a, b := twoReplicas(t)
	ctx := t.Context()
	for _, src := range definitions() {
		def := struct{ name, version string }{}
		_, err := fmt.Sscanf(strings.TrimSpace(src), "saga: %s\nversion: %s", &def.name, &def.version)
		require.NoError(t, err)
		version, err := strconv.Atoi(def.version)
		require.NoError(t, err)
		_, _, err = a.PutDefinition(ctx, def.name, version, []byte(src), true)
		require.NoError(t, err)
	}
	rng := rand.New(rand.NewPCG(1, uint64(sagas(t))))
	ids := a.startSagas(t, rng, sagas(t))
	for range 6 {
		a.stir(t, rng)
	}
	a.quiet(t)

	counts := &tally{done: map[string]int{}, refused: map[string]int{}}
	var group errgroup.Group
	group.SetLimit(16)
	for n, id := range ids {
		seed := rng.Uint64()
		group.Go(func() error {
			return rehearse(ctx, a, b, id, rand.New(rand.NewPCG(seed, uint64(n))), counts)
		})
	}
	require.NoError(t, group.Wait())
	t.Logf("done %v, refused %v", counts.done, counts.refused)
	for _, action := range append(saga.Actions(), saga.ActionRebind) {
		if action != saga.ActionAcknowledge { // there is nothing late here to acknowledge
			require.Positive(t, counts.done[string(action)], "no %s was possible", action)
		}
	}
}

// tally counts what was possible.
type tally struct {
	mu            sync.Mutex // guards what follows
	done, refused map[string]int
}

func (c *tally) add(m map[string]int, what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m[what]++
}

func (r *replica) startSagas(t *testing.T, rng *rand.Rand, n int) []saga.ID {
	t.Helper()
	ids := make([]saga.ID, n)
	var group errgroup.Group
	group.SetLimit(64)
	for i := range ids {
		req := client.StartRequest{Saga: "fork", Input: json.RawMessage(`{"n": ` + strconv.Itoa(rng.IntN(5)) + `, "amount": 1.50}`)}
		if rng.IntN(2) == 0 {
			req.Saga, req.Version = "line", 1+rng.IntN(2)
		}
		if rng.IntN(8) == 0 {
			req.Input = json.RawMessage(`{"n":"no number"}`)
		}
		group.Go(func() error {
			started, err := r.Start(t.Context(), req)
			if err == nil {
				ids[i], err = saga.ParseID(started.ID)
			}
			return err
		})
	}
	require.NoError(t, group.Wait())
	return ids
}

// stir lets something happen to most sagas: an answer to an open command, or an operator.
func (r *replica) stir(t *testing.T, rng *rand.Rand) {
	t.Helper()
	q := orchestrator.SagaQuery{Tenant: "default", Limit: 500}
	for {
		page, err := r.store.Sagas(t.Context(), q)
		require.NoError(t, err)
		for i := range page.Sagas {
			in := &page.Sagas[i].Instance
			open := in.Open()
			switch {
			case in.Status.Terminal() || rng.IntN(4) == 0:
			case rng.IntN(20) == 0:
				act := []saga.Action{saga.ActionPause, saga.ActionCancel}[rng.IntN(2)]
				_, _ = r.engine.Act(t.Context(), orchestrator.ActRequest{Tenant: "default", ID: in.ID, Act: saga.Acted{Action: act, Reason: "stir", By: "stirrer"}})
			case len(open) > 0:
				r.bus.marked.Add(1)
				r.bus.replies <- answer(in, open[rng.IntN(len(open))], r.stepName(t, in), rng)
			}
		}
		if q.Past = page.Next; page.Next.IsZero() {
			break
		}
	}
	r.bus.marked.Wait()
}

func (r *replica) stepName(t *testing.T, in *saga.Instance) func(int) string {
	def, err := r.engine.Definition(t.Context(), "default", in.Saga, in.Version)
	require.NoError(t, err)
	return func(i int) string { return def.Steps[i].Name }
}

func answer(in *saga.Instance, open saga.OpenLeg, name func(int) string, rng *rand.Rand) orchestrator.Delivery {
	leg := &in.Steps[open.Step].Forward
	if open.Verb == saga.Compensate {
		leg = &in.Steps[open.Step].Backward
	}
	d := orchestrator.Delivery{Saga: in.ID, Tenant: "default", ID: fmt.Sprintf("reply-%d", rng.Uint64()), Reply: saga.Replied{
		Step: name(open.Step), Verb: open.Verb, Edition: leg.Edition, Attempt: leg.Attempt, Record: saga.Coordinates{Topic: "skald.replies"},
	}}
	switch rng.IntN(8) {
	case 0:
		d.Reply.Outcome, d.Reply.Code = saga.ReplyRejected, "declined"
	case 1, 2:
		d.Reply.Outcome, d.Reply.Code, d.Reply.Message = saga.ReplyFailed, "broke", "it broke"
	case 3:
		d.Reply.Outcome, d.Reply.Value = saga.ReplySucceeded, json.RawMessage(`{"bad": 1}`)
	default:
		d.Reply.Outcome, d.Reply.Value = saga.ReplySucceeded, json.RawMessage(`{"ok": 1.0}`)
	}
	return d
}

// quiet waits until everything is published.
func (r *replica) quiet(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool {
		depth, err := r.store.OutboxDepth(t.Context(), 10)
		require.NoError(t, err)
		return depth == 0
	}, time.Minute, 20*time.Millisecond, "the outbox empties")
}

// wish is an action over REST.
type wish struct {
	action client.Action
	req    client.ActRequest
	rebind client.RebindRequest
}

func draw(rng *rand.Rand, sg *client.Saga) wish {
	actions := append(saga.Actions(), saga.ActionRebind, saga.ActionRetry, saga.ActionRetry, saga.ActionComplete, saga.ActionWaive, saga.ActionWaive, saga.ActionWaive, saga.ActionSkip, saga.ActionResume)
	w := wish{action: client.Action(actions[rng.IntN(len(actions))]), req: client.ActRequest{Reason: "rehearsed"}}
	if w.action == client.ActionRebind {
		w.rebind = client.RebindRequest{Version: 3 - sg.Version, Reason: "rehearsed"}
		return w
	}
	if saga.Action(w.action).NeedsStep() {
		w.req.Step = sg.Steps[rng.IntN(len(sg.Steps))].Name
		for _, s := range sg.Steps {
			waivable := s.Status == "undo_failed" || s.Status == "undo_backing_off" || s.Status == "undoing"
			stands := s.Status == "stuck" || s.Status == "undo_failed" || s.Status == "held" || s.Status == "backing_off"
			if (stands || w.action == client.ActionWaive && waivable) && rng.IntN(4) > 0 {
				w.req.Step = s.Name
			}
		}
	}
	switch {
	case (w.action == client.ActionComplete || w.action == client.ActionSkip) && rng.IntN(2) == 0:
		w.req.Output = json.RawMessage(`{"ok":2.50}`)
	case w.action == client.ActionRetry && rng.IntN(3) == 0:
		w.req.Payload = json.RawMessage(`{"corrected":1e2}`)
	}
	return w
}

func (w *wish) try(ctx context.Context, on *replica, id string, opts ...client.CallOption) (client.Preview, error) {
	if w.action == client.ActionRebind {
		return on.DryRunRebind(ctx, id, w.rebind, opts...)
	}
	return on.DryRun(ctx, id, w.action, w.req, opts...)
}

func (w *wish) do(ctx context.Context, on *replica, id string, opts ...client.CallOption) (client.ActResult, error) {
	if w.action == client.ActionRebind {
		return on.Rebind(ctx, id, w.rebind, opts...)
	}
	return on.Act(ctx, id, w.action, w.req, opts...)
}

// request is the same for the engine itself, whose rehearsal has the bytes.
func (w *wish) request(id saga.ID, revision int64) orchestrator.ActRequest {
	return orchestrator.ActRequest{Tenant: "default", ID: id, IfRevision: revision, RequestID: "rehearsal", Act: saga.Acted{
		Action: saga.Action(w.action), Step: w.req.Step, Output: w.req.Output, Payload: w.req.Payload, Version: w.rebind.Version,
		Reason: "rehearsed", By: "anonymous",
	}}
}

func byteForByte(what string, commands []saga.Command, sent map[attempt]orchestrator.Record) error {
	for _, c := range commands {
		r := sent[attempt{c.Step, c.Verb, c.Edition, c.Attempt}]
		if !bytes.Equal(r.Value, c.Payload) || header(r, "ce_sagaversion") != strconv.Itoa(c.Version) {
			return fmt.Errorf("%s: %s was sent %s under version %s, rehearsed %s under %d", what, c.Step, r.Value, header(r, "ce_sagaversion"), c.Payload, c.Version)
		}
	}
	return nil
}

// rehearse asks a, and then does it on b. A timer that moves the saga in between has both begin again.
func rehearse(ctx context.Context, a, b *replica, id saga.ID, rng *rand.Rand, counts *tally) error {
	for range 10 {
		before, err := a.Saga(ctx, id.String())
		if err != nil {
			return err
		}
		sent := sentOf(a, b, id)
		w := draw(rng, &before)
		opts := []client.CallOption{client.IfRevision(before.Revision), client.WithRequestID("rehearsal")}
		preview, refused := w.try(ctx, a, id.String(), opts...)
		exact, _ := a.engine.DryRun(ctx, w.request(id, before.Revision)) // refused as the one over REST
		did, err := w.do(ctx, b, id.String(), opts...)
		if problemOf(refused).Status == 412 || problemOf(err).Status == 412 {
			continue
		}
		what := fmt.Sprintf("%s %s of %s", w.action, w.req.Step, id)
		if refused != nil || err != nil {
			counts.add(counts.refused, string(w.action))
			x, y := problemOf(refused), problemOf(err)
			x.RequestID, y.RequestID = "", ""
			if x.Status == 0 || y.Status == 0 {
				return fmt.Errorf("%s: the rehearsal said %w, and the action %w", what, orNil(refused), orNil(err))
			}
			return differ(what+": refusals", x, y)
		}
		counts.add(counts.done, string(w.action))
		after := func() map[attempt]orchestrator.Record { return sentOf(a, b, id) }
		err = happened(ctx, b, id, what, &preview, sent, after)
		if now, readErr := b.Saga(ctx, id.String()); err != nil && readErr == nil && did.Revision == preview.Next.Revision && now.Revision > did.Revision {
			continue // a timer moved it on before what happened could be read
		}
		if err != nil {
			return err
		}
		return byteForByte(what, exact.Commands, after())
	}
	return fmt.Errorf("saga %s never keeps still", id)
}

var errNone = errors.New("nothing")

func orNil(err error) error {
	if err == nil {
		return errNone
	}
	return err
}

func problemOf(err error) client.Problem {
	var problem *client.Error
	if errors.As(err, &problem) {
		return problem.Problem
	}
	return client.Problem{}
}

func sentOf(a, b *replica, id saga.ID) map[attempt]orchestrator.Record {
	out := a.bus.commands(id)
	for k, r := range b.bus.commands(id) {
		out[k] = r
	}
	return out
}

// happened compares what was rehearsed with what is there.
func happened(ctx context.Context, on *replica, id saga.ID, what string, preview *client.Preview, before map[attempt]orchestrator.Record, sent func() map[attempt]orchestrator.Record) error {
	got, err := on.Saga(ctx, id.String())
	if err != nil {
		return err
	}
	if got.Revision != preview.Next.Revision {
		return fmt.Errorf("%s: revision %d, rehearsed %d", what, got.Revision, preview.Next.Revision)
	}
	if err := differ(what+": next state", timeless(preview.Next), timeless(got)); err != nil {
		return err
	}
	facts := []client.Fact{}
	for f, err := range on.AllHistory(ctx, id.String()) {
		if err != nil {
			return err
		}
		if len(preview.Facts) > 0 && f.Seq >= preview.Facts[0].Seq {
			f.Record = nil // where it stands in Kafka, which a rehearsal cannot know
			facts = append(facts, f)
		}
	}
	if err := differ(what+": facts", timeless(preview.Facts), timeless(facts)); err != nil {
		return err
	}
	deadline := time.Now().Add(30 * time.Second)
	now := sent()
	for len(now) < len(before)+len(preview.Commands) && time.Now().Before(deadline) {
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
		now = sent()
	}
	if len(now) != len(before)+len(preview.Commands) {
		return fmt.Errorf("%s: %d commands were sent, rehearsed %d", what, len(now)-len(before), len(preview.Commands))
	}
	for _, c := range preview.Commands {
		r, ok := now[attempt{c.Step, saga.Verb(c.Verb), c.Edition, c.Attempt}]
		switch {
		case !ok:
			return fmt.Errorf("%s: %s of %s was rehearsed and not sent", what, c.Command, c.Step)
		case compact(r.Value) != compact(c.Payload):
			return fmt.Errorf("%s: %s of %s was sent %s, rehearsed %s", what, c.Command, c.Step, r.Value, c.Payload)
		case r.Topic != c.Participant+".commands" || header(r, "ce_type") != c.Participant+"."+c.Command:
			return fmt.Errorf("%s: %s of %s went to %s as %s", what, c.Command, c.Step, r.Topic, header(r, "ce_type"))
		}
	}
	return nil
}

// compact is JSON without spaces: answers of the API are written so.
func compact(raw []byte) string {
	var b bytes.Buffer
	if err := json.Compact(&b, raw); err != nil {
		return err.Error()
	}
	return b.String()
}

func header(r orchestrator.Record, name string) string {
	for _, h := range r.Headers {
		if h.Key == name {
			return string(h.Value)
		}
	}
	return ""
}

// timeless is v as JSON without times, and without why a saga waits, which is of the moment that it is read.
func timeless(v any) any {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	var out any
	if err := json.Unmarshal(b, &out); err != nil {
		return err
	}
	return stripped(out)
}

func stripped(v any) any {
	switch v := v.(type) {
	case map[string]any:
		delete(v, "blocked_on")
		for k := range v {
			v[k] = stripped(v[k])
		}
	case []any:
		for i := range v {
			v[i] = stripped(v[i])
		}
	case string:
		if _, err := time.Parse(time.RFC3339Nano, v); err == nil {
			return "a time"
		}
	}
	return v
}

func differ(what string, rehearsed, got any) error {
	if diff := cmp.Diff(rehearsed, got); diff != "" {
		return fmt.Errorf("%s differ: -rehearsed +happened\n%s", what, diff)
	}
	return nil
}
