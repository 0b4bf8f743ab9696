package api

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

func as(role string) map[string]string {
	return map[string]string{"Authorization": "Bearer " + role + "/default"}
}

const operationBody = `{"action":"retry","filter":{"saga":"order-placement","version":2,"status":["suspended"],"verdict":"residue","participant":"payments","labels":{"shop":"b"},` +
	`"created_after":"2026-11-20T00:00:00Z","ids":["01a1ff40-f532-705a-9e5a-19796d8a26c4"]},` +
	`"step":"charge-payment","reason":" back ","rate":20`

func TestOperations_Start(t *testing.T) {
	t.Parallel()
	b := setup(t, authenticated)
	b.engine.operations.op = orchestrator.Operation{
		ID: 7, State: orchestrator.OperationRunning, CreatedAt: testTime, StartedAt: time.Now().Add(-10 * time.Second),
		Total: 100, Succeeded: 30, Refused: 8, Failed: 2,
	}
	post := exchange{method: "POST", path: "/v1/operations", body: operationBody + `}`, header: as("supervisor")}
	w := b.do(t, post)
	op := answerIn[client.Operation](t, w, 201)
	require.Equal(t, "/v1/operations/7", w.Header().Get("Location"))
	picked, err := saga.ParseID("01a1ff40-f532-705a-9e5a-19796d8a26c4")
	require.NoError(t, err)
	require.Equal(t, orchestrator.OperationRequest{
		Action: saga.ActionRetry, Step: "charge-payment", Reason: "back", Rate: 20, Filter: orchestrator.OperationFilter{
			Saga: "order-placement", Version: 2, Statuses: []saga.Status{saga.Suspended}, Verdict: saga.Residue, Participant: "payments",
			Labels: map[string]string{"shop": "b"}, CreatedAfter: time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC), IDs: []saga.ID{picked},
		},
	}, b.engine.operations.asked[0])
	require.Equal(t, client.OperationRunning, op.State)
	require.Equal(t, []int64{100, 40, 30, 8, 2}, []int64{op.Total, op.Done, op.Succeeded, op.Refused, op.Failed})
	require.WithinDuration(t, time.Now().Add(15*time.Second), *op.ETA, 2*time.Second, "60 are left, and 40 took 10 s")
	require.Equal(t, "supervisor", op.By)

	b.engine.operations.exists = true
	w = b.do(t, post)
	require.Equal(t, "true", w.Header().Get("Idempotency-Replayed"))
	require.Equal(t, 201, w.Code)
}

func TestOperations_DryRun(t *testing.T) {
	t.Parallel()
	b := setup(t, authenticated)
	id := b.engine.started.ID
	b.engine.operations.found = orchestrator.OperationRehearsal{Count: 4213, Exact: true, Sample: []orchestrator.OperationOutcome{
		{Saga: id, Kind: orchestrator.OutcomeSucceeded, Message: "sent again", Revision: 3},
		{Saga: id, Kind: orchestrator.OutcomeRefused, Code: "paused"},
		{Saga: id, Kind: orchestrator.OutcomeRefused, Code: "paused"},
	}}
	p := answerIn[client.OperationPreview](t, b.do(t, exchange{method: "POST", path: "/v1/operations", body: operationBody + `,"dry_run":true}`, header: as("supervisor")}), 200)
	require.Equal(t, int64(4213), *p.Count)
	require.Equal(t, 1, p.Possible)
	require.Equal(t, map[string]int{"paused": 2}, p.Refused)
	require.Len(t, p.Sample, 3)
	require.Empty(t, b.engine.operations.asked, "nothing is stored")
}

// Bulk has a permission of its own; what one's own word decides takes that permission, too.
func TestOperations_Permissions(t *testing.T) {
	t.Parallel()
	b := setup(t, authenticated)
	b.engine.operations.op.ID = 7
	problemIn(t, b.do(t, exchange{method: "POST", path: "/v1/operations", body: operationBody + `}`, header: as("operator")}), 403, "forbidden")
	require.Equal(t, 201, b.do(t, exchange{method: "POST", path: "/v1/operations", body: operationBody + `}`, header: as("supervisor")}).Code)
	for _, role := range []string{"operator", "supervisor"} {
		for body, vouches := range map[string]bool{`{"step":"charge-payment","reason":"r"}`: false, `{"step":"charge-payment","reason":"r","payload":{}}`: true} {
			w := b.do(t, exchange{method: "POST", path: b.sagaPath("/retry"), body: body, header: as(role)})
			require.Equal(t, vouches && role == "operator", w.Code == 403, "%s: %s", role, body)
		}
		w := b.do(t, exchange{method: "POST", path: b.sagaPath("/complete"), body: `{"step":"charge-payment","reason":"r"}`, header: as(role)})
		require.Equal(t, role == "operator", w.Code == 403)
		w = b.do(t, exchange{method: "POST", path: b.sagaPath("/retry?dry_run=true"), body: `{"step":"charge-payment","reason":"r","payload":{}}`, header: as(role)})
		require.Equal(t, role == "operator", w.Code == 403, "a rehearsal takes the same permission")
	}
}

func TestOperations_Wrong(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for body, status := range map[string]int{
		`{`: 400,
		`{"action":"retry","filter":{"saga":"x"}}`:                                  422,
		`{"action":"explode","filter":{"saga":"x"},"reason":"r"}`:                   422,
		`{"action":"retry","filter":{"status":["stuck"]},"reason":"r"}`:             422,
		`{"action":"retry","filter":{"saga":"x"},"reason":"r","rate":5000}`:         422,
		`{"action":"retry","filter":{"saga":"x"},"reason":"r","surprise":1}`:        422,
		`{"action":"retry","filter":{"saga":"x","colour":"red"},"reason":"r"}`:      422,
		`{"action":"cancel","filter":{"saga":"x","blocked_on":"me"},"reason":"r"}`:  422,
		`{"action":"cancel","filter":{"created_after":"yesterday"},"reason":"r"}`:   422,
		`{"action":"cancel","filter":{"ids":["A-1001"]},"reason":"r"}`:              422,
		`{"action":"cancel","filter":{"saga":"x","verdict":"fine"},"reason":"r"}`:   422,
		`{"action":"retry","filter":{"saga":"x"},"reason":"r","dry_run":"perhaps"}`: 422,
	} {
		w := b.do(t, exchange{method: "POST", path: "/v1/operations", body: body})
		require.Equal(t, status, w.Code, "%s: %s", body, w.Body)
	}
	b.engine.err = &orchestrator.InputError{Message: "the operation is wrong", Fields: []orchestrator.FieldError{{Path: "filter", Message: "say which sagas"}}}
	p := problemIn(t, b.do(t, exchange{method: "POST", path: "/v1/operations", body: `{"action":"cancel","filter":{},"reason":"r"}`}), 422, "invalid")
	require.Equal(t, []string{"body.filter"}, paths(p))
}

func TestOperations_ReadAndChange(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.engine.started.ID
	b.engine.operations.op = orchestrator.Operation{ID: 7, Tenant: "default", State: orchestrator.OperationRunning, Paused: true, CreatedAt: testTime}
	b.engine.operations.list = []orchestrator.OperationOutcome{{Saga: id, Kind: orchestrator.OutcomeFailed, Code: "internal", At: testTime}, {Saga: id, Kind: orchestrator.OutcomePending}}
	op := answerIn[client.Operation](t, b.do(t, exchange{method: "GET", path: "/v1/operations/7"}), 200)
	require.Equal(t, client.OperationPaused, op.State)
	require.Nil(t, op.ETA, "nobody knows while it is paused")
	problemIn(t, b.do(t, exchange{method: "GET", path: "/v1/operations/8"}), 404, "not_found")

	list := answerIn[client.OperationList](t, b.do(t, exchange{method: "GET", path: "/v1/operations?limit=1"}), 200)
	require.Len(t, list.Items, 1)
	next := answerIn[client.OperationList](t, b.do(t, exchange{method: "GET", path: "/v1/operations?limit=1&cursor=" + list.NextCursor}), 200)
	require.Empty(t, next.Items)
	problemIn(t, b.do(t, exchange{method: "GET", path: "/v1/operations?cursor=x"}), 422, "invalid")

	outcomes := answerIn[client.OutcomeList](t, b.do(t, exchange{method: "GET", path: "/v1/operations/7/outcomes?outcome=failed&limit=1"}), 200)
	require.Equal(t, "internal", outcomes.Items[0].Code)
	require.Equal(t, orchestrator.OutcomeQuery{Tenant: "default", Operation: 7, Kind: orchestrator.OutcomeFailed, Limit: 1}, b.engine.operations.outcomeQ)
	require.Equal(t, 200, b.do(t, exchange{method: "GET", path: "/v1/operations/7/outcomes?outcome=failed&limit=1&cursor=" + outcomes.NextCursor}).Code)
	require.Equal(t, id, b.engine.operations.outcomeQ.After)
	problemIn(t, b.do(t, exchange{method: "GET", path: "/v1/operations/7/outcomes?outcome=refused&cursor=" + outcomes.NextCursor}), 422, "invalid")
	problemIn(t, b.do(t, exchange{method: "GET", path: "/v1/operations/8/outcomes"}), 404, "not_found")

	require.Equal(t, 200, b.do(t, exchange{method: "POST", path: "/v1/operations/7/resume", body: `{"reason":"on"}`}).Code)
	require.Equal(t, 200, b.do(t, exchange{method: "POST", path: "/v1/operations/7/cancel", body: `{"reason":"no more"}`}).Code)
	p := problemIn(t, b.do(t, exchange{method: "POST", path: "/v1/operations/7/pause", body: `{"reason":"again"}`}), 409, "operation_state")
	require.Contains(t, p.Detail, "paused")
	problemIn(t, b.do(t, exchange{method: "POST", path: "/v1/operations/7/pause", body: `{}`}), 422, "invalid")
	problemIn(t, b.do(t, exchange{method: "POST", path: "/v1/operations/8/pause", body: `{"reason":"r"}`}), 404, "not_found")
	require.Equal(t, []orchestrator.OperationChange{"resume", "cancel", "pause"}, b.engine.operations.changes)
}

func TestRebind(t *testing.T) {
	t.Parallel()
	b := setup(t)
	w := b.do(t, exchange{
		method: "POST", path: b.sagaPath("/rebind"), body: `{"version":2,"reason":"a mistake"}`,
		header: map[string]string{"If-Match": `"2"`, "Idempotency-Key": "k", "X-Request-Id": "r"},
	})
	require.Equal(t, int64(3), answerIn[client.Acted](t, w, 200).Revision)
	require.Equal(t, orchestrator.ActRequest{
		Tenant: "default", ID: b.engine.started.ID, IfRevision: 2, RequestID: "r", IdempotencyKey: "k",
		Act: saga.Acted{Action: saga.ActionRebind, Version: 2, Reason: "a mistake", By: "anonymous"},
	}, b.engine.lastAct(t))
	for body, status := range map[string]int{`{`: 400, `{"version":2}`: 422, `{"reason":"r"}`: 422, `{"version":0,"reason":"r"}`: 422, `{"version":2,"reason":" "}`: 422, `{"version":2,"reason":"r","step":"x"}`: 422} {
		require.Equal(t, status, b.do(t, exchange{method: "POST", path: b.sagaPath("/rebind"), body: body}).Code, body)
	}
	p := problemIn(t, b.do(t, exchange{method: "POST", path: b.sagaPath("/rebind?dry_run=true"), body: `{"version":2,"reason":"r"}`}), 409, "no_such_version")
	require.Contains(t, p.Possible, "pause")
}

func clientOperations(ctx context.Context, t *testing.T, b *testBundle, c *client.Client, id string) {
	t.Helper()
	b.engine.operations.op = orchestrator.Operation{ID: 7, Tenant: "default", State: orchestrator.OperationRunning, CreatedAt: testTime}
	b.engine.operations.list = []orchestrator.OperationOutcome{{Saga: b.engine.started.ID, Kind: orchestrator.OutcomePending}}
	req := client.OperationRequest{Action: client.ActionCancel, Filter: client.OperationFilter{Saga: "order-placement"}, Reason: "r"}
	_, err := c.PreviewOperation(ctx, req)
	require.NoError(t, err)
	op, err := c.StartOperation(ctx, req, client.WithIdempotencyKey("k"))
	require.NoError(t, err)
	require.Equal(t, "k", b.engine.operations.op.IdempotencyKey)
	got, err := c.Operation(ctx, op.ID)
	require.NoError(t, err)
	require.Equal(t, op.ID, got.ID)
	list, err := c.Operations(ctx, "", 0)
	require.NoError(t, err)
	require.Len(t, list.Items, 1)
	outcomes := 0
	for _, err := range c.Outcomes(ctx, op.ID, "pending") {
		require.NoError(t, err)
		outcomes++
	}
	require.Equal(t, 1, outcomes)
	_, err = c.PauseOperation(ctx, op.ID, "wait")
	require.NoError(t, err)
	b.engine.operations.op.Paused = true
	_, err = c.ResumeOperation(ctx, op.ID, "on")
	require.NoError(t, err)
	_, err = c.CancelOperation(ctx, op.ID, "no more")
	require.NoError(t, err)

	_, err = c.Rebind(ctx, id, client.RebindRequest{Version: 2, Reason: "r"}, client.IfRevision(2))
	require.NoError(t, err)
	require.Equal(t, 2, b.engine.lastAct(t).Act.Version)
	_, err = c.DryRunRebind(ctx, id, client.RebindRequest{Version: 2, Reason: "r"})
	var problem *client.Error
	require.ErrorAs(t, err, &problem, "the fake has no version 2")
	require.Equal(t, "no_such_version", problem.Code)
}
