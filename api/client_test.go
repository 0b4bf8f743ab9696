package api

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/memory"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// asked remembers which routes a client asked for.
type asked struct {
	mu     sync.Mutex // guards routes
	routes map[string]bool
}

func (a *asked) handler(b *testBundle) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		route, names := "", 1<<10 // of several patterns, the one with the fewest parameters
		for pattern := range operations(b) {
			method, path, _ := strings.Cut(pattern, " ")
			if n := strings.Count(path, "{"); method == r.Method && matchesPattern(path, r.URL.Path) && n < names {
				route, names = pattern, n
			}
		}
		a.mu.Lock()
		a.routes[route] = true
		a.mu.Unlock()
		b.api.Handler().ServeHTTP(w, r)
	})
}

func matchesPattern(pattern, path string) bool {
	want, got := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(want) != len(got) {
		return false
	}
	for i := range want {
		if want[i] != got[i] && !strings.HasPrefix(want[i], "{") {
			return false
		}
	}
	return true
}

func TestClient_HasEveryRoute(t *testing.T) {
	t.Parallel()
	tail := newFakeTail()
	b := setup(t, func(c *Config) { c.Events, c.Audit, c.Keys = tail, &auditLog{}, memory.New(memory.Config{}) })
	seen := &asked{routes: map[string]bool{}}
	server := httptest.NewServer(seen.handler(b))
	defer server.Close()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.api.Run(ctx) }()
	defer func() { cancel(); require.NoError(t, <-ended) }()
	c, err := client.New(server.URL, client.WithHTTPClient(server.Client()))
	require.NoError(t, err)

	started, err := c.Start(ctx, client.StartRequest{Saga: "order-placement", Input: json.RawMessage(testInput)}, client.WithIdempotencyKey("k"))
	require.NoError(t, err)
	require.Nil(t, started.Saga)
	require.Equal(t, "k", b.engine.lastStart(t).IdempotencyKey)
	id := started.ID

	got, err := c.Saga(ctx, id)
	require.NoError(t, err)
	require.Equal(t, "A-1001", got.Key)
	_, err = c.Saga(ctx, id, client.IfChangedFrom(got.Revision))
	require.ErrorIs(t, err, client.ErrNotModified)
	for s, err := range c.AllSagas(ctx, client.SagaFilter{Status: []client.Status{client.Running}, Labels: map[string]string{"a": "b"}, Limit: 1}) {
		require.NoError(t, err)
		require.Equal(t, id, s.ID)
	}
	require.Equal(t, map[string]string{"a": "b"}, b.engine.reader.queries[0].Labels)
	facts := 0
	for _, err := range c.AllHistory(ctx, id) {
		require.NoError(t, err)
		facts++
	}
	require.Equal(t, len(b.engine.reader.facts), facts)
	_, err = c.Graph(ctx, id)
	require.NoError(t, err)
	clientActs(ctx, t, b, c, id)
	clientDefinitions(ctx, t, b, c)
	hold, created, err := c.PutHold(ctx, client.HoldRequest{Scope: client.HoldTenant, Reason: "r"})
	require.NoError(t, err)
	require.True(t, created)
	holds, err := c.Holds(ctx)
	require.NoError(t, err)
	require.Equal(t, []client.Hold{hold}, holds)
	status, err := c.Hold(ctx, hold.ID)
	require.NoError(t, err)
	require.Equal(t, hold, status.Hold)
	require.NoError(t, c.EndHold(ctx, hold.ID, "done", 0))
	limit, err := c.PutLimit(ctx, client.HoldParticipant, "payments", client.LimitRequest{Commands: 5, Reason: "r"})
	require.NoError(t, err)
	limits, err := c.Limits(ctx)
	require.NoError(t, err)
	require.Equal(t, []client.Limit{limit}, limits)
	require.NoError(t, c.RemoveLimit(ctx, client.HoldParticipant, "payments", "done"))
	clientKeys(ctx, t, c)
	clientQuarantine(ctx, t, c)
	clientOperations(ctx, t, b, c, id)
	for _, err := range c.AllAudit(ctx, client.AuditFilter{Actor: "ada"}) {
		require.NoError(t, err)
	}
	_, err = c.Stats(ctx)
	require.NoError(t, err)
	_, err = c.Participants(ctx)
	require.NoError(t, err)
	require.NoError(t, c.Ready(ctx))
	seen.routes["GET /healthz"] = true // for orchestrators of processes, not for clients
	for _, err := range c.SagaEvents(ctx, id, 0) {
		require.NoError(t, err)
		break
	}
	tail.publish(0, b.event(t, "default", 1))
	for _, err := range c.Events(ctx, "0:0,1:0") {
		require.NoError(t, err)
		break
	}
	for route := range operations(b) {
		require.True(t, seen.routes[route], "the client cannot ask for %s", route)
	}
}

func clientQuarantine(ctx context.Context, t *testing.T, c *client.Client) {
	t.Helper()
	list, err := c.Quarantine(ctx, client.QuarantineFilter{State: client.QuarantineWaiting})
	require.NoError(t, err)
	groups, err := c.QuarantineGroups(ctx, client.QuarantineFilter{Reason: "bad_token"})
	require.NoError(t, err)
	require.NotEmpty(t, groups)
	q, err := c.QuarantinedRecord(ctx, list.Items[0].ID)
	require.NoError(t, err)
	require.Equal(t, list.Items[0].SHA256, q.SHA256)
	for _, action := range []client.QuarantineAction{client.QuarantineRedrive, client.QuarantineDiscard} {
		result, err := c.HandleQuarantined(ctx, q.ID, action, client.QuarantineRequest{Reason: "r"}, client.WithIdempotencyKey("again"))
		require.NoError(t, err)
		require.True(t, result.Replayed)
		result, err = c.HandleQuarantined(ctx, q.ID, action, client.QuarantineRequest{Reason: "r"}, client.WithDryRun())
		require.NoError(t, err)
		require.NotNil(t, result.Preview)
		many, err := c.HandleManyQuarantined(ctx, action, client.QuarantineManyRequest{Filter: client.QuarantineWhich{All: true}, Reason: "r"})
		require.NoError(t, err)
		require.Len(t, many.Items, 2)
	}
}

func clientActs(ctx context.Context, t *testing.T, b *testBundle, c *client.Client, id string) {
	t.Helper()
	for _, action := range saga.Actions() {
		req := client.ActRequest{Reason: "r"}
		if action.NeedsStep() {
			req.Step = "charge-payment"
		}
		acted, err := c.Act(ctx, id, client.Action(action), req, client.IfRevision(2))
		require.NoError(t, err)
		require.True(t, acted.Changed)
		require.Equal(t, int64(2), b.engine.lastAct(t).IfRevision)
	}
	preview, err := c.DryRun(ctx, id, client.ActionPause, client.ActRequest{Reason: "r"})
	require.NoError(t, err)
	require.True(t, preview.Next.Paused)
}

func clientDefinitions(ctx context.Context, t *testing.T, b *testBundle, c *client.Client) {
	t.Helper()
	b.engine.created = true
	def, created, err := c.PutDefinition(ctx, "order-placement", 1, b.engine.row.Source, false)
	require.NoError(t, err)
	require.True(t, created)
	require.Equal(t, 1, def.Version)
	_, err = c.ActivateDefinition(ctx, "order-placement", 1, "r")
	require.NoError(t, err)
	_, err = c.RetireDefinition(ctx, "order-placement", 1, "r")
	require.NoError(t, err)
	for _, name := range []string{"", "order-placement"} {
		list, err := c.Definitions(ctx, name)
		require.NoError(t, err)
		require.Len(t, list.Items, 1)
	}
	def, err = c.Definition(ctx, "order-placement", 1)
	require.NoError(t, err)
	require.NotEmpty(t, def.Content)
	src, err := c.DefinitionSource(ctx, "order-placement", 1)
	require.NoError(t, err)
	require.Equal(t, string(b.engine.row.Source), string(src))
	result, err := c.CheckDefinition(ctx, []byte("saga: X"))
	require.NoError(t, err)
	require.NotEmpty(t, result.Problems)
}

func TestClient_Errors(t *testing.T) {
	t.Parallel()
	b := serveIt(t)
	b.engine.err = &orchestrator.OverloadedError{Why: "full", RetryAfter: 3 * time.Second}
	_, err := b.client.Start(t.Context(), client.StartRequest{Saga: "order-placement"})
	var refused *client.Error
	require.ErrorAs(t, err, &refused)
	require.Equal(t, "overloaded", refused.Code)
	require.True(t, refused.Retryable)
	require.Equal(t, 3*time.Second, refused.RetryAfter)
	require.Equal(t, "503 overloaded: full", refused.Error())
	_, err = b.client.Start(t.Context(), client.StartRequest{Saga: "No"})
	require.ErrorAs(t, err, &refused)
	require.ErrorContains(t, err, "body.saga")
}

func clientKeys(ctx context.Context, t *testing.T, c *client.Client) {
	t.Helper()
	made, err := c.CreateAPIKey(ctx, client.APIKeyRequest{Name: "ci", Roles: []string{"viewer"}})
	require.NoError(t, err)
	next, err := c.RotateAPIKey(ctx, made.ID, client.APIKeyRotation{Overlap: 60})
	require.NoError(t, err)
	require.NotEqual(t, made.Key, next.Key)
	require.NoError(t, c.RevokeAPIKey(ctx, made.ID, "gone"))
	keys, err := c.APIKeys(ctx)
	require.NoError(t, err)
	require.Len(t, keys, 1)
	require.Equal(t, "revoked", keys[0].State)
}
