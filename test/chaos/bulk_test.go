package chaos

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/participants"
	"github.com/skaldhq/skald/test/stack"
)

// Of a bulk saga there is no way back: its pivot is skipped, and its only step is refused once.
const bulk = `
saga: bulk
version: 1
steps:
  - {name: decide, participant: clerk, command: Decide.v1, kind: pivot, when: "1 > 2"}
  - {name: file, participant: clerk, command: File.v1, kind: retriable, timeout: 5m}
`

// clerk refuses every command until its saga is tried again on purpose, and counts how often each edition was carried out.
type clerk struct {
	mu       sync.Mutex // guards what follows
	editions map[string][]int
}

func (c *clerk) register(p *participants.Participant) {
	p.Handle("Decide.v1", func(context.Context, *participants.Request) (participants.Result, error) {
		return participants.Reject("unexpected", "its when is false")
	}, nil)
	p.Handle("File.v1", func(_ context.Context, req *participants.Request) (participants.Result, error) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.editions[req.SagaID.String()] = append(c.editions[req.SagaID.String()], req.Edition)
		if req.Edition == 0 {
			return participants.Reject("no_ink", "there is no ink")
		}
		return participants.Succeed(nil)
	}, nil)
}

// bulkSagas is how many the test acts on: SKALD_TEST_OPERATION_SAGAS, or 500.
func bulkSagas(t *testing.T) int {
	t.Helper()
	text := os.Getenv("SKALD_TEST_OPERATION_SAGAS")
	if text == "" {
		return 500
	}
	n, err := strconv.Atoi(text)
	require.NoError(t, err)
	return n
}

// TestBulkRetry retries many stuck sagas at once, and half-way kills one of the two replicas that carry the operation. Every saga is
// retried exactly once, as the audit, the outcomes and the participant say, and progress is right all the time.
func TestBulkRetry(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("needs servers")
	}
	sagas := bulkSagas(t)
	s := stack.New(t)
	dies, stays := s.Serve(), s.Serve()
	dies.Ready(t)
	stays.Ready(t)
	did := &clerk{editions: map[string][]int{}}
	s.Answer("clerk", did.register)
	_, _, err := stays.PutDefinition(t.Context(), "bulk", 1, []byte(bulk), true)
	require.NoError(t, err)
	s.Settled(2, "clerk")
	began := time.Now()
	startBulk(t, stays.Client, sagas)
	countOf(t, stays.Client, client.Suspended, sagas)
	t.Logf("%d sagas are stuck after %s", sagas, since(began))

	began = time.Now()
	op, err := stays.StartOperation(t.Context(), client.OperationRequest{
		Action: client.ActionRetry, Filter: client.OperationFilter{Saga: "bulk", Attention: "rejected"}, Reason: "there is ink again", Rate: 1000,
	})
	require.NoError(t, err)
	var killed int64
	seen := int64(0)
	stack.Eventually(t, 5*time.Minute, func(ctx context.Context) error {
		op, err = stays.Operation(ctx, op.ID)
		if err != nil {
			return err
		}
		require.GreaterOrEqual(t, op.Done, seen, "progress never goes back")
		require.LessOrEqual(t, op.Done, int64(sagas))
		require.Equal(t, op.Done, op.Succeeded+op.Refused+op.Failed)
		if op.State != client.OperationGathering {
			require.Equal(t, int64(sagas), op.Total, "all are known before the first is acted on")
		}
		if seen = op.Done; killed == 0 && seen >= int64(sagas)/2 {
			require.False(t, op.State.Ended(), "too late to kill anybody")
			dies.Kill()
			killed = seen
		}
		if !op.State.Ended() {
			return fmt.Errorf("it is %s, %d of %d", op.State, op.Done, op.Total)
		}
		return nil
	})
	t.Logf("retried %d sagas in %s; a replica was killed after %d", sagas, since(began), killed)
	require.Equal(t, []int64{int64(sagas), 0, 0}, []int64{op.Succeeded, op.Refused, op.Failed})
	countOf(t, stays.Client, client.Completed, sagas)
	t.Logf("all completed %s after the operation began", since(began))
	exactlyOnce(t, s, stays.Client, op.ID, did, sagas)
	s.Audit()
}

func since(began time.Time) time.Duration { return time.Since(began).Round(10 * time.Millisecond) }

func startBulk(t *testing.T, c *client.Client, sagas int) {
	t.Helper()
	var group errgroup.Group
	group.SetLimit(128)
	for range sagas {
		group.Go(func() error {
			_, err := c.Start(t.Context(), client.StartRequest{Saga: "bulk", Input: []byte(`{}`)})
			return err
		})
	}
	require.NoError(t, group.Wait())
}

// countOf waits until so many sagas have a status.
func countOf(t *testing.T, c *client.Client, status client.Status, want int) {
	t.Helper()
	stack.Eventually(t, 2*time.Minute, func(ctx context.Context) error {
		list, err := c.Sagas(ctx, client.SagaFilter{Saga: "bulk", Status: []client.Status{status}, Limit: 1, Count: true})
		switch {
		case err != nil:
			return err
		case list.Count == nil || *list.Count != int64(want):
			return fmt.Errorf("not all of %d sagas are %s", want, status)
		}
		return nil
	})
}

// exactlyOnce holds against one another what the audit, the operation and the participant say of each saga.
func exactlyOnce(t *testing.T, s *stack.Stack, c *client.Client, operation int64, did *clerk, sagas int) {
	t.Helper()
	rows, err := s.Pool.Query(t.Context(), `SELECT saga_id::text, count(*) FROM skald.audit WHERE action = 'saga.retry' GROUP BY saga_id`)
	require.NoError(t, err)
	audited := map[string]int{}
	for rows.Next() {
		var id string
		var n int
		require.NoError(t, rows.Scan(&id, &n))
		audited[id] = n
	}
	require.NoError(t, rows.Err())
	require.Len(t, audited, sagas)
	outcomes := map[string]bool{}
	for o, err := range c.Outcomes(t.Context(), operation, "") {
		require.NoError(t, err)
		require.Equal(t, "succeeded", o.Outcome)
		require.False(t, outcomes[o.SagaID], "saga %s has two outcomes", o.SagaID)
		outcomes[o.SagaID] = true
	}
	require.Len(t, outcomes, sagas)
	did.mu.Lock()
	defer did.mu.Unlock()
	require.Len(t, did.editions, sagas)
	for _, id := range slices.Sorted(maps.Keys(did.editions)) {
		require.Equal(t, []int{0, 1}, did.editions[id], "saga %s: the command is asked again exactly once", id)
		require.Equal(t, 1, audited[id], "saga %s: one retry in the audit", id)
		require.True(t, outcomes[id], "saga %s has no outcome", id)
	}
}
