package orchestrator_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// mistaken has a mistake in its first version: the sagas that it meets are stuck before their first command.
func mistaken(version int, payload string) string {
	return fmt.Sprintf(`
saga: mistaken
version: %d
steps:
  - {name: run, participant: runner, command: Run.v1, timeout: 1h, payload: {n: "${%s}"}, compensation: {command: Unrun.v1}}
`, version, payload)
}

const (
	withMistake    = "input.wrong.deep + 1"
	withoutMistake = "input.n"
)

// operationBundle is a replica with operations whose committer turns while its operator waits.
type operationBundle struct {
	*testBundle
	queue *faultyOperations
	stuck []saga.ID
}

// faultyOperations fails where a test says so. Hooks may be nil.
type faultyOperations struct {
	orchestrator.Operations
	note func([]orchestrator.OperationOutcome) error // before; an error: nothing is noted
}

func (f *faultyOperations) NoteOutcomes(ctx context.Context, lease orchestrator.OperationLease, outcomes []orchestrator.OperationOutcome, again time.Duration) error {
	if f.note != nil {
		if err := f.note(outcomes); err != nil {
			return err
		}
	}
	return f.Operations.NoteOutcomes(ctx, lease, outcomes, again)
}

func operating(t *testing.T, sagas int) *operationBundle {
	t.Helper()
	b := &operationBundle{queue: &faultyOperations{}}
	b.testBundle = setup(t, func(c *orchestrator.Config) {
		b.queue.Operations = c.Definitions.(orchestrator.Operations)
		c.Operations = b.queue
	})
	b.machine.during = func(time.Duration) { b.turn() }
	for version, payload := range map[int]string{1: withMistake, 2: withoutMistake} {
		_, _, err := b.engine.PutDefinition(t.Context(), tenant, []byte(mistaken(version, payload)), version == 1, "tester", "")
		require.NoError(t, err)
	}
	for n := range sagas {
		b.stuck = append(b.stuck, b.start(orchestrator.StartRequest{Tenant: tenant, Saga: "mistaken", Version: 1, Input: json.RawMessage(fmt.Sprintf(`{"n":%d}`, n))}))
	}
	b.machine.now = b.machine.now.Add(time.Second)
	return b
}

// begin starts an operation and works on it until it has ended, or nothing is due any more.
func (b *operationBundle) begin(req orchestrator.OperationRequest) orchestrator.Operation {
	b.t.Helper()
	req.Reason = "test"
	if req.Filter.Saga == "" {
		req.Filter.Saga = "mistaken"
	}
	op, created, err := b.engine.StartOperation(b.t.Context(), tenant, req, "ann", "r-9", "")
	require.NoError(b.t, err)
	require.True(b.t, created)
	return b.work(op.ID)
}

func (b *operationBundle) work(id int64) orchestrator.Operation {
	b.t.Helper()
	for range 1000 {
		if op := b.operation(id); op.State.Ended() || op.Paused {
			return op
		}
		if !b.engine.Operate(b.t.Context()) {
			b.machine.now = b.machine.now.Add(time.Second)
		}
	}
	require.Fail(b.t, "the operation never ends")
	return orchestrator.Operation{}
}

func (b *operationBundle) operation(id int64) orchestrator.Operation {
	b.t.Helper()
	op, err := b.engine.Operation(b.t.Context(), tenant, id)
	require.NoError(b.t, err)
	return op
}

func (b *operationBundle) outcomes(id int64) []orchestrator.OperationOutcome {
	b.t.Helper()
	list, err := b.engine.Outcomes(b.t.Context(), orchestrator.OutcomeQuery{Tenant: tenant, Operation: id, Limit: 10_000})
	require.NoError(b.t, err)
	return list
}

// A mistake in a definition, which never changes, strands nobody: rebind in bulk, then retry in bulk.
func TestOperation_RebindAndRetryMany(t *testing.T) {
	t.Parallel()
	b := operating(t, 23)
	op := b.begin(orchestrator.OperationRequest{Action: saga.ActionRebind, Version: 2})
	require.Equal(t, []int64{23, 23, 0, 0}, []int64{op.Total, op.Succeeded, op.Refused, op.Failed})
	require.False(t, op.EndedAt.IsZero())
	op = b.begin(orchestrator.OperationRequest{Action: saga.ActionRetry})
	require.Equal(t, int64(23), op.Succeeded)
	require.Len(t, b.outcomes(op.ID), 23)
	for n, id := range b.stuck {
		in := b.saga(id)
		require.Equal(t, 2, in.Version)
		require.Equal(t, saga.InFlight, in.Steps[0].Status)
		require.JSONEq(t, fmt.Sprintf(`{"n":%d}`, n), string(in.Steps[0].Forward.Payload), "the new version's expression")
	}
	entries, err := b.memory.Audit(t.Context(), tenant, 0, 1000)
	require.NoError(t, err)
	actions := map[string]int{}
	for _, e := range entries {
		actions[e.Action]++
		if e.Action == "saga.retry" {
			require.Equal(t, "ann", e.Actor)
			require.Equal(t, fmt.Sprintf("operation/%d", op.ID), e.RequestID, "the action leads to its operation")
		}
	}
	require.Equal(t, []int{2, 23, 23}, []int{actions["operation.start"], actions["saga.rebind"], actions["saga.retry"]})
}

// What a saga's state forbids is its outcome, and stops no other.
func TestOperation_Refused(t *testing.T) {
	t.Parallel()
	b := operating(t, 5)
	require.NoError(t, b.act(action(b.stuck[1], saga.ActionPause)).err)
	require.NoError(t, b.act(action(b.stuck[3], saga.ActionAbandon)).err)
	op := b.begin(orchestrator.OperationRequest{Action: saga.ActionPause})
	require.Equal(t, []int64{5, 3, 2, 0}, []int64{op.Total, op.Succeeded, op.Refused, op.Failed})
	codes := map[saga.ID]string{}
	for _, o := range b.outcomes(op.ID) {
		codes[o.Saga] = o.Code
		require.NotEmpty(t, o.Message)
	}
	require.Equal(t, saga.CodeAlreadyPaused, codes[b.stuck[1]])
	require.Equal(t, saga.CodeEnded, codes[b.stuck[3]])
	require.Empty(t, codes[b.stuck[0]])

	op = b.begin(orchestrator.OperationRequest{Action: saga.ActionRebind, Version: 7, Filter: orchestrator.OperationFilter{Saga: "mistaken", Statuses: []saga.Status{saga.Suspended}}})
	require.Equal(t, int64(4), op.Refused)
	require.Equal(t, saga.CodeNoSuchVersion, b.outcomes(op.ID)[0].Code)
}

// The replica dies after it did the actions and before it noted them: another one does the slice again, and each saga is acted on
// once.
func TestOperation_DoneAndNotNoted(t *testing.T) {
	t.Parallel()
	b := operating(t, 10)
	died := 0
	b.queue.note = func(outcomes []orchestrator.OperationOutcome) error {
		if died++; died < 3 {
			require.NotEmpty(t, outcomes)
			return errors.New("the replica is gone")
		}
		return nil
	}
	op := b.begin(orchestrator.OperationRequest{Action: saga.ActionPause, Rate: 20})
	require.GreaterOrEqual(t, died, 3)
	require.Equal(t, []int64{10, 10, 0, 0}, []int64{op.Total, op.Succeeded, op.Refused, op.Failed}, "nobody was paused already")
	for _, id := range b.stuck {
		paused := 0
		for _, f := range b.facts(id) {
			if f == saga.SagaPaused {
				paused++
			}
		}
		require.Equal(t, 1, paused)
	}
}

// An operation goes at its rate; pause, resume and cancel take effect between slices.
func TestOperation_RateAndPause(t *testing.T) {
	t.Parallel()
	b := operating(t, 40)
	req := orchestrator.OperationRequest{Action: saga.ActionPause, Rate: 1, Reason: "test", Filter: orchestrator.OperationFilter{Saga: "mistaken"}}
	op, _, err := b.engine.StartOperation(t.Context(), tenant, req, "ann", "", "")
	require.NoError(t, err)
	began := b.machine.now
	for b.operation(op.ID).Done() < 16 {
		if !b.engine.Operate(t.Context()) {
			b.machine.now = b.machine.now.Add(50 * time.Millisecond)
		}
	}
	took := b.machine.now.Sub(began)
	require.InDelta(t, 16, took.Seconds(), 4, "16 sagas at one a second")
	_, err = b.engine.ChangeOperation(t.Context(), tenant, op.ID, orchestrator.OperationPause, "ann", "wait", "")
	require.NoError(t, err)
	done := b.operation(op.ID).Done()
	b.machine.now = b.machine.now.Add(time.Minute)
	require.False(t, b.engine.Operate(t.Context()))
	require.Equal(t, done, b.operation(op.ID).Done(), "nothing is done while it is paused")
	_, err = b.engine.ChangeOperation(t.Context(), tenant, op.ID, orchestrator.OperationResume, "ann", "on", "")
	require.NoError(t, err)
	require.True(t, b.engine.Operate(t.Context()))
	_, err = b.engine.ChangeOperation(t.Context(), tenant, op.ID, orchestrator.OperationCancel, "ann", "no more", "")
	require.NoError(t, err)
	b.machine.now = b.machine.now.Add(time.Minute)
	require.False(t, b.engine.Operate(t.Context()))
	left, err := b.engine.Outcomes(t.Context(), orchestrator.OutcomeQuery{Tenant: tenant, Operation: op.ID, Kind: orchestrator.OutcomePending, Limit: 100})
	require.NoError(t, err)
	last := b.operation(op.ID)
	require.Len(t, left, int(last.Total-last.Done()))
	require.NotEmpty(t, left)
	var state *orchestrator.OperationStateError
	_, err = b.engine.ChangeOperation(t.Context(), tenant, op.ID, orchestrator.OperationResume, "ann", "again", "")
	require.ErrorAs(t, err, &state)
	var input *orchestrator.InputError
	_, err = b.engine.ChangeOperation(t.Context(), tenant, op.ID, orchestrator.OperationCancel, "ann", " ", "")
	require.ErrorAs(t, err, &input)
}

// An engine that takes no more requests leaves what it refused for later.
func TestOperation_Overloaded(t *testing.T) {
	t.Parallel()
	b := operating(t, 9)
	op, _, err := b.engine.StartOperation(t.Context(), tenant, orchestrator.OperationRequest{Action: saga.ActionPause, Rate: 100, Reason: "test", Filter: orchestrator.OperationFilter{Saga: "mistaken"}}, "ann", "", "")
	require.NoError(t, err)
	require.True(t, b.engine.Operate(t.Context()))
	b.engine.BeginDrain()
	require.True(t, b.engine.Operate(t.Context()))
	require.Zero(t, b.operation(op.ID).Done(), "nothing failed: it was not taken")
	heir := b.replica(func(c *orchestrator.Config) { c.Operations = b.queue })
	b.engine = heir
	require.Equal(t, int64(9), b.work(op.ID).Succeeded)
}

// A rehearsal counts, and says of a sample what would become of it; nothing is stored.
func TestOperation_Rehearsal(t *testing.T) {
	t.Parallel()
	b := operating(t, 60)
	require.NoError(t, b.act(action(b.stuck[59], saga.ActionPause)).err)
	got, err := b.engine.RehearseOperation(t.Context(), tenant, orchestrator.OperationRequest{Action: saga.ActionPause, Reason: "test", Filter: orchestrator.OperationFilter{Saga: "mistaken"}}, "ann")
	require.NoError(t, err)
	require.Equal(t, int64(60), got.Count)
	require.Len(t, got.Sample, orchestrator.OperationSample)
	kinds := map[orchestrator.OutcomeKind]int{}
	for _, o := range got.Sample {
		kinds[o.Kind]++
	}
	require.Equal(t, map[orchestrator.OutcomeKind]int{orchestrator.OutcomeSucceeded: 49, orchestrator.OutcomeRefused: 1}, kinds)
	list, err := b.engine.ListOperations(t.Context(), tenant, 0, 10)
	require.NoError(t, err)
	require.Empty(t, list)
	require.Nil(t, b.saga(b.stuck[0]).Pause)
	retried, err := b.engine.RehearseOperation(t.Context(), tenant, orchestrator.OperationRequest{Action: saga.ActionRetry, Reason: "test", Filter: orchestrator.OperationFilter{Key: "nobody"}}, "ann")
	require.NoError(t, err)
	require.Zero(t, retried.Count)
}

func TestOperation_WrongRequests(t *testing.T) {
	t.Parallel()
	b := operating(t, 0)
	some := orchestrator.OperationFilter{Saga: "mistaken"}
	cases := map[string]struct {
		req  orchestrator.OperationRequest
		path string
	}{
		"no filter":              {orchestrator.OperationRequest{Action: saga.ActionPause, Reason: "r"}, "filter"},
		"no reason":              {orchestrator.OperationRequest{Action: saga.ActionPause, Filter: some}, "reason"},
		"no action":              {orchestrator.OperationRequest{Action: "explode", Reason: "r", Filter: some}, "action"},
		"complete without step":  {orchestrator.OperationRequest{Action: saga.ActionComplete, Reason: "r", Filter: some}, "step"},
		"a step of pause":        {orchestrator.OperationRequest{Action: saga.ActionPause, Step: "run", Reason: "r", Filter: some}, "step"},
		"too fast":               {orchestrator.OperationRequest{Action: saga.ActionPause, Rate: 1001, Reason: "r", Filter: some}, "rate"},
		"payload without a step": {orchestrator.OperationRequest{Action: saga.ActionRetry, Payload: json.RawMessage(`1`), Reason: "r", Filter: some}, "payload"},
		"output of retry":        {orchestrator.OperationRequest{Action: saga.ActionRetry, Output: json.RawMessage(`1`), Reason: "r", Filter: some}, "output"},
		"no JSON":                {orchestrator.OperationRequest{Action: saga.ActionSkip, Step: "run", Output: json.RawMessage(`{`), Reason: "r", Filter: some}, "output"},
		"rebind without version": {orchestrator.OperationRequest{Action: saga.ActionRebind, Reason: "r", Filter: some}, "version"},
		"rebind of whatever":     {orchestrator.OperationRequest{Action: saga.ActionRebind, Version: 2, Reason: "r", Filter: orchestrator.OperationFilter{Key: "x"}}, "filter/saga"},
	}
	for name, c := range cases {
		_, _, err := b.engine.StartOperation(t.Context(), tenant, c.req, "ann", "", "")
		var input *orchestrator.InputError
		require.ErrorAs(t, err, &input, name)
		require.Len(t, input.Fields, 1, name)
		require.Equal(t, c.path, input.Fields[0].Path, name)
		_, err = b.engine.RehearseOperation(t.Context(), tenant, c.req, "ann")
		require.ErrorAs(t, err, &input, name)
	}
	plain := setup(t)
	_, _, err := plain.engine.StartOperation(t.Context(), tenant, orchestrator.OperationRequest{Action: saga.ActionPause, Reason: "r", Filter: some}, "ann", "", "")
	require.ErrorIs(t, err, orchestrator.ErrNoOperations)
}

// A rebind under If-Match, in rehearsal, and for real; and later events of the same batch are judged by the new version.
func TestAct_Rebind(t *testing.T) {
	t.Parallel()
	b := operating(t, 1)
	id := b.stuck[0]
	req := action(id, saga.ActionRebind)
	var input *orchestrator.InputError
	require.ErrorAs(t, b.engine.OfferAct(req, nil), &input, "a rebind needs a version")
	req.Act.Version = 2
	before := b.saga(id)
	d, err := b.engine.DryRun(t.Context(), req)
	require.NoError(t, err)
	require.Equal(t, 2, d.Next.Version)
	require.Equal(t, before, b.saga(id), "a rehearsal stores nothing")
	stale := req
	stale.IfRevision = before.Revision + 1
	require.ErrorIs(t, b.act(stale).err, orchestrator.ErrRevision)

	rebind, retry := b.offerAct(req), b.offerAct(action2(id, "run"))
	b.turn()
	require.NoError(t, rebind.err)
	require.NoError(t, retry.err)
	in := b.saga(id)
	require.Equal(t, before.Revision+1, in.Revision, "one transaction")
	require.JSONEq(t, `{"n":0}`, string(in.Steps[0].Forward.Payload))
	require.Equal(t, saga.CodeNothingToDo, refusalOf(t, b.act(req).err).Code)
	pause := action(id, saga.ActionPause)
	pause.Act.Version = 2
	require.ErrorAs(t, b.engine.OfferAct(pause, nil), &input, "nothing else takes a version")
}

// The record of a rebind says from where it was asked for, and from which version to which it led.
func TestAct_RebindIsAudited(t *testing.T) {
	t.Parallel()
	b := operating(t, 1)
	req := action(b.stuck[0], saga.ActionRebind)
	req.Act.Version = 2
	answered := make(chan error, 1)
	go func() { // owned by the test, which waits for its answer
		_, err := b.engine.Act(orchestrator.WithRemote(t.Context(), "203.0.113.7"), req)
		answered <- err
	}()
	await(t, "the wish is handed in", func() bool { return b.engine.Intake() > 0 })
	b.turn()
	require.NoError(t, <-answered)
	entries, err := b.memory.Audit(t.Context(), tenant, 0, 1)
	require.NoError(t, err)
	require.Equal(t, "saga.rebind", entries[0].Action)
	require.Equal(t, "203.0.113.7", entries[0].From)
	require.JSONEq(t, `{"from_version":1,"to_version":2}`, string(entries[0].Detail))
}

func action2(id saga.ID, step string) orchestrator.ActRequest {
	req := action(id, saga.ActionRetry)
	req.Act.Step = step
	return req
}

func refusalOf(t *testing.T, err error) *saga.RefusedError {
	t.Helper()
	var refused *saga.RefusedError
	require.ErrorAs(t, err, &refused)
	return refused
}
