package orchestrator_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

func TestAct_CommitsWithItsAuditRow(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.start(errand())
	a := b.act(action(id, saga.ActionPause))
	require.NoError(t, a.err)
	require.Equal(t, orchestrator.Acted{ID: id, Status: saga.Running, Revision: 2, Changed: true, Why: a.got.Why}, a.got)
	require.NotNil(t, b.saga(id).Pause)
	batch := b.store.batches[len(b.store.batches)-1]
	require.Len(t, batch.Writes, 1)
	require.Equal(t, []orchestrator.Audit{{
		Tenant: tenant, Actor: "tester", Action: "saga.pause", Saga: id, Reason: "test", RequestID: "r-1",
		Before: 1, After: 2,
	}}, batch.Audit, "one transaction with its effect (rule 12)")
	entries, err := b.memory.Audit(t.Context(), tenant, 0, 10)
	require.NoError(t, err)
	require.Equal(t, "saga.pause", entries[0].Action)
}

func TestAct_IsRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.start(errand())
	_, _, err := b.engine.PutDefinition(t.Context(), "tenant-2", []byte(errandDefinition), true, "tester", "")
	require.NoError(t, err)
	stranger, unknown, stale := action(id, saga.ActionCancel), action(saga.NewID(b.machine.now, 1, 1), saga.ActionCancel), action(id, saga.ActionCancel)
	stranger.Tenant = "tenant-2"
	stale.IfRevision = 7
	illegal := action(id, saga.ActionSkip)
	illegal.Act.Step = "run"
	for name, c := range map[string]struct {
		req  orchestrator.ActRequest
		want error
	}{
		"AnotherTenant": {stranger, orchestrator.ErrNotFound},
		"Unknown":       {unknown, orchestrator.ErrNotFound},
		"Revision":      {stale, orchestrator.ErrRevision},
	} {
		t.Run(name, func(t *testing.T) {
			_, dry := b.engine.DryRun(t.Context(), c.req)
			require.ErrorIs(t, dry, c.want)
			require.ErrorIs(t, b.act(c.req).err, c.want)
		})
	}
	_, dry := b.engine.DryRun(t.Context(), illegal)
	var refused, dryRefused *saga.RefusedError
	require.ErrorAs(t, dry, &dryRefused)
	require.ErrorAs(t, b.act(illegal).err, &refused)
	require.Equal(t, refused, dryRefused)
	require.NotEmpty(t, refused.Code)
	require.EqualValues(t, 1, b.saga(id).Revision)
	for _, batch := range b.store.batches {
		require.Empty(t, batch.Audit, "nothing was done")
	}
}

func TestAct_SaysAllThatIsWrong(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.start(errand())
	for name, c := range map[string]struct {
		act  saga.Acted
		want []string
	}{
		"Reason": {saga.Acted{Action: saga.ActionCancel, Reason: " \t"}, []string{"reason"}},
		"All":    {saga.Acted{Action: saga.ActionComplete, Output: json.RawMessage(`{`), Payload: json.RawMessage(`x`)}, []string{"reason", "step", "output", "payload"}},
	} {
		t.Run(name, func(t *testing.T) {
			req := orchestrator.ActRequest{Tenant: tenant, ID: id, Act: c.act}
			err := b.engine.OfferAct(req, func(orchestrator.Acted, error) { t.Error("answered although it was refused") })
			_, dry := b.engine.DryRun(t.Context(), req)
			for _, err := range []error{err, dry} {
				var wrong *orchestrator.InputError
				require.ErrorAs(t, err, &wrong)
				var paths []string
				for _, f := range wrong.Fields {
					paths = append(paths, f.Path)
				}
				require.ElementsMatch(t, c.want, paths)
			}
		})
	}
}

func TestAct_IdempotencyKey(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.start(errand())
	pause := action(id, saga.ActionPause)
	pause.IdempotencyKey = "k-pause"
	first := b.act(pause)
	require.NoError(t, first.err)
	require.NoError(t, b.act(action(id, saga.ActionResume)).err)
	pause.RequestID = "r-2"
	replay := b.act(pause)
	require.NoError(t, replay.err)
	want := first.got
	want.Replayed = true
	require.Equal(t, want, replay.got)
	require.Nil(t, b.saga(id).Pause, "the replay does nothing")

	cancel := action(id, saga.ActionCancel)
	cancel.IdempotencyKey = "k-pause"
	require.ErrorIs(t, b.act(cancel).err, orchestrator.ErrIdempotency)
}

// TestAct_IdempotencyKeyOfAnother: "Same idempotency key and body: same" (S2); who asks is not part of the body.
func TestAct_IdempotencyKeyOfAnother(t *testing.T) {
	t.Parallel()
	b := setup(t)
	req := action(b.start(errand()), saga.ActionPause)
	req.IdempotencyKey = "once"
	first := b.act(req)
	require.NoError(t, first.err)
	req.Act.By, req.RequestID = "somebody-else", "r-2"
	again := b.act(req)
	require.NoError(t, again.err)
	require.True(t, again.got.Replayed)
	require.Equal(t, first.got.Revision, again.got.Revision)
}

func TestAct_RefusalIsReplayed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.start(errand())
	resume := action(id, saga.ActionResume)
	resume.IdempotencyKey = "k-resume"
	var refused, again *saga.RefusedError
	require.ErrorAs(t, b.act(resume).err, &refused)
	require.NoError(t, b.act(action(id, saga.ActionPause)).err)
	require.ErrorAs(t, b.act(resume).err, &again, "the answer stays the same although it would be possible now")
	require.Equal(t, refused, again)
	require.NotNil(t, b.saga(id).Pause)

	stale := action(id, saga.ActionCancel)
	stale.IdempotencyKey, stale.IfRevision = "k-stale", 1
	require.ErrorIs(t, b.act(stale).err, orchestrator.ErrRevision)
	require.ErrorIs(t, b.act(stale).err, orchestrator.ErrRevision)
	lost := action(saga.NewID(b.machine.now, 1, 1), saga.ActionCancel)
	lost.IdempotencyKey = "k-lost"
	require.ErrorIs(t, b.act(lost).err, orchestrator.ErrNotFound)
	require.ErrorIs(t, b.act(lost).err, orchestrator.ErrNotFound)
}

func TestDryRun_AnswersWhatActThenDoes(t *testing.T) {
	t.Parallel()
	for _, act := range []saga.Acted{
		{Action: saga.ActionCancel},
		{Action: saga.ActionPause},
		{Action: saga.ActionAbandon},
		{Action: saga.ActionComplete, Step: "run", Output: json.RawMessage(`{"done":true}`)},
		{Action: saga.ActionReject, Step: "run"},
	} {
		t.Run(string(act.Action), func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			id := b.start(errand())
			b.turn() // the acknowledgement
			act.Reason, act.By = "test", "tester"
			req := orchestrator.ActRequest{Tenant: tenant, ID: id, RequestID: "r-1", Act: act, IfRevision: 1}
			before := len(b.store.batches)
			dry, err := b.engine.DryRun(t.Context(), req)
			require.NoError(t, err)
			require.Len(t, b.store.batches, before, "nothing is stored")
			require.EqualValues(t, 1, b.saga(id).Revision)
			a := b.act(req)
			require.NoError(t, a.err)
			// A dry run is part of no transaction, and so its command of no batch.
			require.Empty(t, cmp.Diff(b.saga(id), dry.Next, cmpopts.IgnoreFields(saga.Leg{}, "Batch", "Index"), cmpopts.EquateEmpty()))
			require.Equal(t, a.got.Why, dry.Why)
			require.Equal(t, a.got.Pending, dry.Pending)
			b.publish()
			require.Len(t, dry.Commands, len(b.broker.commands())-1, "beside the first one")
		})
	}
}

func TestAct_ContentThatCannotBeStored(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.start(errand())
	req := action(id, saga.ActionPause)
	req.Act.Reason = "what the database refuses"
	b.store.commit = func(batch orchestrator.Batch) error {
		for _, a := range batch.Audit {
			if a.Reason == req.Act.Reason {
				return errors.Join(orchestrator.ErrData, errors.New("invalid byte sequence"))
			}
		}
		return nil
	}
	a := b.act(req)
	var wrong *orchestrator.InputError
	require.ErrorAs(t, a.err, &wrong)
	require.Equal(t, saga.Running, b.saga(id).Status, "a request that is refused does nothing to its saga")
	require.NoError(t, b.act(action(id, saga.ActionPause)).err)
}

func TestAct_AfterTheSagaWentAwayInTheSameBatch(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.start(errand())
	b.machine.now = b.machine.now.Add(time.Second)
	first, second := b.offerAct(action(id, saga.ActionAbandon)), b.offerAct(action(id, saga.ActionPause))
	b.turn()
	require.NoError(t, first.err)
	var refused *saga.RefusedError
	require.ErrorAs(t, second.err, &refused, "judged on what the first one left")
	require.EqualValues(t, 2, b.saga(id).Revision)
}
