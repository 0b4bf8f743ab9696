package orchestrator_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/audit"
	"github.com/skaldhq/skald/orchestrator/saga"
)

func TestStart_IsStoredBeforeItIsAnsweredAndPublishedAfterwards(t *testing.T) {
	t.Parallel()
	b := setup(t)
	a := b.offer(order("A-1", 1))
	b.store.committed = func(batch orchestrator.Batch) error {
		require.Zero(t, a.times, "S1: no answer before the commit has answered")
		require.Len(t, batch.Outbox, 2, "the command and saga.started are in the same transaction (S3)")
		require.Zero(t, b.engine.Outgoing())
		return nil
	}
	require.Equal(t, 1, b.turn())
	require.Equal(t, 1, a.times)
	require.NoError(t, a.err)
	in := b.saga(a.got.ID)
	require.Equal(t, orchestrator.Started{
		ID: in.ID, Saga: "order", Version: 1, Key: "A-1", Tenant: tenant, Status: saga.Running, Revision: 1,
		CreatedAt: in.CreatedAt,
	}, a.got)
	require.Equal(t, saga.ShardOf(tenant, "order", "A-1"), in.ID.Shard())
	require.Empty(t, b.broker.commands())
	b.publish()
	commands := b.broker.commands()
	require.Len(t, commands, 1)
	require.Equal(t, in.ID, commands[0].Saga)
}

func TestStart_SaysAllThatIsWrong(t *testing.T) {
	t.Parallel()
	b := setup(t)
	many := map[string]string{}
	for n := range 33 {
		many[fmt.Sprintf("l%d", n)] = "v"
	}
	for name, c := range map[string]struct {
		req  orchestrator.StartRequest
		want []string // paths
	}{
		"Schema":        {orchestrator.StartRequest{Saga: "order", Input: json.RawMessage(`{"count":0,"note":7}`)}, []string{"input/id", "input/count", "input/note"}},
		"NoJSON":        {orchestrator.StartRequest{Saga: "errand", Input: json.RawMessage(`{`)}, []string{"input"}},
		"NoInput":       {orchestrator.StartRequest{Saga: "errand"}, []string{"input"}},
		"OwnKey":        {orchestrator.StartRequest{Saga: "order", Key: "mine", Input: json.RawMessage(`{"id":"A","count":1}`)}, []string{"key"}},
		"EmptyKey":      {orchestrator.StartRequest{Saga: "order", Input: json.RawMessage(`{"id":"","count":1}`)}, []string{"input"}},
		"LongKey":       {orchestrator.StartRequest{Saga: "errand", Key: strings.Repeat("k", 513), Input: json.RawMessage(`{}`)}, []string{"key"}},
		"NulInKey":      {orchestrator.StartRequest{Saga: "errand", Key: "a\x00b", Input: json.RawMessage(`{}`)}, []string{"key"}},
		"ManyLabels":    {orchestrator.StartRequest{Saga: "errand", Labels: many, Input: json.RawMessage(`{}`)}, []string{"labels"}},
		"LabelName":     {orchestrator.StartRequest{Saga: "errand", Labels: map[string]string{"": "v"}, Input: json.RawMessage(`{}`)}, []string{"labels/"}},
		"LabelValue":    {orchestrator.StartRequest{Saga: "errand", Labels: map[string]string{"a": strings.Repeat("v", 256)}, Input: json.RawMessage(`{}`)}, []string{"labels/a"}},
		"SeveralThings": {orchestrator.StartRequest{Saga: "order", Key: "mine", Labels: map[string]string{"a": "\x00"}, Input: json.RawMessage(`{"id":"A","count":1}`)}, []string{"key", "labels/a"}},
		"Reuse":         {orchestrator.StartRequest{Saga: "errand", Reuse: "perhaps", Input: json.RawMessage(`{}`)}, []string{"reuse"}},
	} {
		t.Run(name, func(t *testing.T) {
			c.req.Tenant = tenant
			var wrong *orchestrator.InputError
			require.ErrorAs(t, b.refusal(c.req), &wrong)
			var paths []string
			for _, f := range wrong.Fields {
				require.NotEmpty(t, f.Message)
				paths = append(paths, f.Path)
			}
			require.ElementsMatch(t, c.want, paths)
		})
	}
	require.Zero(t, b.engine.Intake())
}

func TestStart_KeyAtItsLimits(t *testing.T) {
	t.Parallel()
	b := setup(t)
	req := errand()
	req.Key, req.Labels = strings.Repeat("k", 512), map[string]string{strings.Repeat("l", 63): strings.Repeat("v", 255)}
	in := b.saga(b.start(req))
	require.Equal(t, req.Key, in.Key)
	require.Equal(t, req.Labels, in.Labels)
}

func TestStart_TooLarge(t *testing.T) {
	t.Parallel()
	b := setup(t)
	req := errand()
	req.Input = json.RawMessage(`"` + strings.Repeat("x", saga.MaxInputBytes-2) + `"`)
	require.Equal(t, []byte(req.Input), []byte(b.saga(b.start(req)).Input), "exactly 256 KiB, byte for byte (S22)")
	req.Input = append(req.Input, ' ')
	var large *orchestrator.TooLargeError
	require.ErrorAs(t, b.refusal(req), &large)
	require.Equal(t, 256<<10, large.Limit)
}

func TestStart_UnknownDefinition(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, req := range []orchestrator.StartRequest{
		{Tenant: tenant, Saga: "nothing", Input: json.RawMessage(`{}`)},
		{Tenant: tenant, Saga: "errand", Version: 2, Input: json.RawMessage(`{}`)},
		{Tenant: "another", Saga: "errand", Input: json.RawMessage(`{}`)},
	} {
		require.ErrorIs(t, b.refusal(req), orchestrator.ErrUnknownSagaType)
	}
}

func TestStart_IdempotencyKey(t *testing.T) {
	t.Parallel()
	b := setup(t)
	req := errand()
	req.IdempotencyKey, req.RequestID = "k-1", "r-1"
	first := b.offer(req)
	b.turn()
	require.NoError(t, first.err)

	req.RequestID = "r-2" // each request has an id of its own, a replay too
	replay, other, sameKey := b.offer(req), errand(), errand()
	other.IdempotencyKey, other.Input = "k-1", json.RawMessage(`{"other":true}`)
	wrong := b.offer(other)
	sameKey.Tenant, sameKey.IdempotencyKey = "tenant-2", "k-1"
	_, _, err := b.engine.PutDefinition(t.Context(), "tenant-2", []byte(errandDefinition), true, "tester", "")
	require.NoError(t, err)
	elsewhere := b.offer(sameKey)
	for range 3 {
		b.turn()
	}
	require.NoError(t, replay.err, "S2")
	want := first.got
	want.Replayed = true
	require.Equal(t, want, replay.got)
	require.ErrorIs(t, wrong.err, orchestrator.ErrIdempotency, "S2")
	require.NoError(t, elsewhere.err, "S23: another tenant's keys are its own")
	require.NotEqual(t, first.got.ID, elsewhere.got.ID)
	require.Equal(t, []int{1, 1, 1, 1}, []int{first.times, replay.times, wrong.times, elsewhere.times})
}

func TestStart_IdempotencyKeyTwiceInOneBatch(t *testing.T) {
	t.Parallel()
	b := setup(t)
	req := errand()
	req.IdempotencyKey = "k-1"
	first, second := b.offer(req), b.offer(req)
	b.turn()
	require.Equal(t, 1, first.times)
	require.Zero(t, second.times, "it waits for the answer of the first")
	b.turn()
	require.NoError(t, second.err)
	require.Equal(t, first.got.ID, second.got.ID)
	require.True(t, second.got.Replayed)
}

func TestStart_BusinessKeyOfALiveSaga(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.start(order("A-1", 1))
	same, other := b.offer(order("A-1", 1)), b.offer(order("A-1", 2))
	b.turn()
	b.turn()
	require.NoError(t, same.err)
	require.True(t, same.got.Existing)
	require.Equal(t, id, same.got.ID)
	requireInUse(t, other.err, id, saga.Running)
	require.Equal(t, []int{1, 1}, []int{same.times, other.times})
}

func requireInUse(t *testing.T, err error, id saga.ID, status saga.Status) {
	t.Helper()
	var use *orchestrator.KeyInUseError
	require.ErrorAs(t, err, &use)
	require.Equal(t, id, use.ID)
	require.Equal(t, status, use.Status)
	require.NotEmpty(t, use.Why)
}

func TestStart_BusinessKeyOfAnEndedSaga(t *testing.T) {
	t.Parallel()
	type end struct {
		outcome saga.ReplyOutcome
		status  saga.Status
	}
	completed, compensated := end{saga.ReplySucceeded, saga.Completed}, end{saga.ReplyRejected, saga.Compensated}
	const started, existing, inUse = "started", "existing", "in use"
	for _, c := range []struct {
		end   end
		reuse orchestrator.Reuse
		count int // 1: the same input
		want  string
	}{
		{completed, "", 1, existing},
		{completed, "", 2, inUse},
		{completed, orchestrator.ReuseAllow, 1, started},
		{completed, orchestrator.ReuseAllow, 2, started},
		{completed, orchestrator.ReuseNever, 1, existing},
		{completed, orchestrator.ReuseNever, 2, inUse},
		{compensated, "", 1, started},
		{compensated, orchestrator.ReuseAfterCompensated, 2, started},
		{compensated, orchestrator.ReuseAllow, 1, started},
		{compensated, orchestrator.ReuseNever, 1, existing},
		{compensated, orchestrator.ReuseNever, 2, inUse},
	} {
		t.Run(fmt.Sprintf("%s/%s/%d", c.end.status, c.reuse, c.count), func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			old := b.start(order("A-1", 1))
			b.broker.send(reply(old, "reserve", c.end.outcome))
			b.receive()
			b.turn()
			require.Equal(t, c.end.status, b.saga(old).Status)
			req := order("A-1", c.count)
			req.Reuse = c.reuse
			a := b.offer(req)
			b.turn()
			require.Equal(t, 1, a.times)
			switch c.want {
			case started:
				require.NoError(t, a.err)
				require.NotEqual(t, old, a.got.ID)
				require.False(t, a.got.Existing)
				again := b.offer(order("A-1", c.count))
				b.turn()
				require.Equal(t, a.got.ID, again.got.ID, "the key is the new saga's now")
			case existing:
				require.NoError(t, a.err)
				require.Equal(t, old, a.got.ID)
				require.True(t, a.got.Existing)
				require.Equal(t, c.end.status, a.got.Status)
			case inUse:
				requireInUse(t, a.err, old, c.end.status)
			}
		})
	}
}

func TestStart_OneKeyTwiceInOneBatch(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first, same, other, apart := b.offer(order("A-1", 1)), b.offer(order("A-1", 1)), b.offer(order("A-1", 2)), b.offer(order("A-2", 1))
	for range 3 {
		b.turn()
	}
	require.NoError(t, first.err)
	require.NoError(t, apart.err)
	require.NoError(t, same.err)
	require.Equal(t, first.got.ID, same.got.ID)
	require.True(t, same.got.Existing)
	requireInUse(t, other.err, first.got.ID, saga.Running)
	require.Equal(t, []int{1, 1, 1, 1}, []int{first.times, same.times, other.times, apart.times})
	page, err := b.memory.Sagas(t.Context(), orchestrator.SagaQuery{Tenant: tenant, Limit: 10})
	require.NoError(t, err)
	require.Len(t, page.Sagas, 2)
}

func TestStart_KeyThatAnOpenTransactionHolds(t *testing.T) {
	t.Parallel()
	b := setup(t)
	open, err := b.memory.Begin(t.Context(), orchestrator.Need{Claims: []orchestrator.Claim{{Kind: orchestrator.ClaimBusinessKey, Tenant: tenant, Saga: "order", Key: "A-1"}}})
	require.NoError(t, err)
	before := b.machine.now
	held, keyed, plain := b.offer(order("A-1", 1)), b.offer(order("A-2", 1)), b.offer(errand())
	b.store.transactions()
	b.turn()
	require.NoError(t, plain.err)
	require.NoError(t, keyed.err)
	require.Equal(t, []int{1, 1, 1}, []int{held.times, keyed.times, plain.times})
	var busy *orchestrator.OverloadedError
	require.ErrorAs(t, held.err, &busy)
	require.Equal(t, time.Second, busy.RetryAfter)
	require.Equal(t, 4, b.store.transactions(), "all, those without a key, and one for each key")
	require.Equal(t, before, b.machine.now, "nobody waited")
	open.Rollback(t.Context())
	later := b.offer(order("A-1", 1))
	b.turn()
	require.NoError(t, later.err)
}

// A start under somebody else's Idempotency-Key is refused, and takes no business key: no saga would have it (S2).
func TestStart_IdempotencyKeyOfAnotherTakesNoBusinessKey(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first := order("A-1", 1)
	first.IdempotencyKey = "k-1"
	b.start(first)
	wrong := order("A-2", 1)
	wrong.IdempotencyKey = "k-1"
	refused, other := b.offer(wrong), b.offer(errand())
	b.turn()
	require.Equal(t, 1, refused.times)
	require.ErrorIs(t, refused.err, orchestrator.ErrIdempotency)
	require.NoError(t, other.err)
	page, err := b.memory.AuditKeys(t.Context(), orchestrator.ClaimBusinessKey, tenant, audit.Key{}, 10)
	require.NoError(t, err)
	require.Len(t, page.Keys, 1)
	require.Equal(t, "A-1", page.Keys[0].Key.Key)
	require.False(t, b.start(order("A-2", 1)).IsZero(), "whoever comes next has it")
}
