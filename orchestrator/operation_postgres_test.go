package orchestrator_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/audit"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// mortal is what a replica has of its database, until it dies: from then on nothing that it asks for is done.
type mortal struct {
	orchestrator.Store
	orchestrator.Operations
	dead *atomic.Bool
	// killAt is how many outcomes were noted when the replica dies, between doing a slice and noting it; 0: it lives.
	killAt int
	noted  *atomic.Int64 // of all replicas
	first  *atomic.Bool  // of an heir: past half-way it takes nothing before that one is dead
	half   int64
}

var errDead = errors.New("this replica is dead")

func (m *mortal) Begin(ctx context.Context, need orchestrator.Need) (orchestrator.Tx, error) {
	if m.dead.Load() {
		return nil, errDead
	}
	tx, err := m.Store.Begin(ctx, need)
	if err != nil {
		return nil, err
	}
	return &mortalTx{tx, m.dead}, nil
}

type mortalTx struct {
	orchestrator.Tx
	dead *atomic.Bool
}

func (t *mortalTx) Commit(ctx context.Context, batch orchestrator.Batch) error {
	if t.dead.Load() {
		t.Rollback(ctx)
		return errDead
	}
	return t.Tx.Commit(ctx, batch)
}

func (m *mortal) TakeOperation(ctx context.Context, lease time.Duration) (orchestrator.Operation, bool, error) {
	if m.dead.Load() {
		return orchestrator.Operation{}, false, errDead
	}
	if m.first != nil && m.noted.Load() >= m.half && !m.first.Load() {
		return orchestrator.Operation{}, false, nil
	}
	return m.Operations.TakeOperation(ctx, lease)
}

func (m *mortal) NoteOutcomes(ctx context.Context, lease orchestrator.OperationLease, outcomes []orchestrator.OperationOutcome, again time.Duration) error {
	if m.killAt > 0 && len(outcomes) > 1 && m.noted.Load() >= int64(m.killAt) {
		m.dead.Store(true)
	}
	if m.dead.Load() {
		return errDead
	}
	err := m.Operations.NoteOutcomes(ctx, lease, outcomes, again)
	if err == nil {
		m.noted.Add(int64(len(outcomes)))
	}
	return err
}

// manySagas is how many the test acts on: SKALD_TEST_OPERATION_SAGAS, or 2,000.
func manySagas(t *testing.T) int {
	t.Helper()
	text := os.Getenv("SKALD_TEST_OPERATION_SAGAS")
	if text == "" {
		return 2000
	}
	n, err := strconv.Atoi(text)
	require.NoError(t, err)
	return n
}

// TestPostgres_OperationWhoseReplicaDies retries many sagas at once on two replicas, of which one dies half-way, between doing and
// noting: every saga is retried exactly once, and the progress is right all the time.
func TestPostgres_OperationWhoseReplicaDies(t *testing.T) {
	b := database(t)
	ctx := t.Context()
	sagas := manySagas(t)
	for version, payload := range []string{withMistake, withoutMistake} {
		_, _, err := b.PutDefinition(ctx, tenant, []byte(mistaken(version+1, payload)), version == 0, "tester", "")
		require.NoError(t, err)
	}
	b.startMany(t, sagas)

	noted := &atomic.Int64{}
	over := &atomic.Bool{} // for the victim
	replica := func(m *mortal) *running {
		m.Store, m.Operations, m.noted = b.store, b.store, noted
		cfg := config(t, m, b.store, b.store, &fakeBroker{now: time.Now})
		cfg.Operations, cfg.OperateEvery, cfg.OperateLease = m, 20*time.Millisecond, 3*time.Second
		cfg.DrainLimit = time.Second
		return run(t, cfg)
	}
	heir := replica(&mortal{dead: &atomic.Bool{}, first: over, half: int64(sagas / 2)})
	victim := replica(&mortal{dead: over, killAt: sagas / 2})
	var end sync.Once
	dies := func() { end.Do(victim.stop) }
	t.Cleanup(dies)

	filter := orchestrator.OperationFilter{Saga: "mistaken", Statuses: []saga.Status{saga.Suspended}}
	done := b.operate(t, heir, sagas, orchestrator.OperationRequest{Action: saga.ActionRebind, Version: 2, Filter: filter, Reason: "mended", Rate: 1000}, func() {
		if over.Load() {
			dies()
		}
	})
	require.True(t, over.Load(), "the replica died half-way")
	done2 := b.operate(t, heir, sagas, orchestrator.OperationRequest{Action: saga.ActionRetry, Filter: filter, Reason: "mended", Rate: 1000}, nil)

	for action, op := range map[string]orchestrator.Operation{"saga.rebind": done, "saga.retry": done2} {
		var entries, distinct int
		row := b.other.QueryRow(ctx, `SELECT count(*), count(DISTINCT saga_id) FROM skald.audit WHERE action = $1`, action)
		require.NoError(t, row.Scan(&entries, &distinct))
		require.Equal(t, []int{sagas, sagas}, []int{entries, distinct}, "%s: every saga exactly once", action)
		var outcomes int
		row = b.other.QueryRow(ctx, `SELECT count(*) FROM skald.operation_sagas WHERE operation_id = $1 AND outcome = 'succeeded'`, op.ID)
		require.NoError(t, row.Scan(&outcomes))
		require.Equal(t, sagas, outcomes)
	}
	report, err := audit.Run(ctx, audit.Config{Store: b.store, Overdue: time.Hour})
	require.NoError(t, err)
	require.Empty(t, report.Problems)
}

// startMany starts sagas that are stuck at once.
func (b *databaseBundle) startMany(t *testing.T, sagas int) {
	t.Helper()
	var group errgroup.Group
	group.SetLimit(256)
	for n := range sagas {
		group.Go(func() error {
			_, err := b.Start(t.Context(), orchestrator.StartRequest{Tenant: tenant, Saga: "mistaken", Version: 1, Input: json.RawMessage(`{"n":` + strconv.Itoa(n) + `}`)})
			return err
		})
	}
	require.NoError(t, group.Wait())
}

// operate carries an operation through, and looks at its progress all the time.
func (b *databaseBundle) operate(t *testing.T, on *running, sagas int, req orchestrator.OperationRequest, each func()) orchestrator.Operation {
	t.Helper()
	op, _, err := on.StartOperation(t.Context(), tenant, req, "ann", "r-1", "")
	require.NoError(t, err)
	began, before := time.Now(), op
	require.Eventually(t, func() bool {
		op, err = on.Engine.Operation(t.Context(), tenant, op.ID)
		require.NoError(t, err)
		require.GreaterOrEqual(t, op.Done(), before.Done(), "progress never goes back")
		require.LessOrEqual(t, op.Done(), op.Total)
		if op.State != orchestrator.OperationGathering {
			require.Equal(t, int64(sagas), op.Total, "all its sagas are known before the first is acted on")
		}
		before = op
		if each != nil {
			each()
		}
		return op.State.Ended()
	}, 5*time.Minute, 10*time.Millisecond)
	require.Equal(t, []int64{int64(sagas), 0, 0}, []int64{op.Succeeded, op.Refused, op.Failed})
	t.Logf("%s of %d sagas took %s", req.Action, sagas, time.Since(began).Round(time.Millisecond))
	return op
}
