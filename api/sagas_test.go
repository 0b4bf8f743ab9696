package api

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

func (b *testBundle) sagaPath(rest string) string {
	return "/v1/sagas/" + b.engine.reader.view.Instance.ID.String() + rest
}

func TestSaga_ReadsAsInTheDesign(t *testing.T) {
	t.Parallel()
	b := setup(t)
	w := b.do(t, exchange{method: "GET", path: b.sagaPath("")})
	require.Equal(t, http.StatusOK, w.Code)
	require.Contains(t, w.Body.String(), `"amount_cents":1.10e2`, "numbers as written")
	require.Contains(t, w.Body.String(), `"output":{"order":1.50}`)
	require.Equal(t, `"2"`, w.Header().Get("ETag"))
	var raw map[string]any
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &raw))
	delete(raw, "input")
	want := `{"id":"` + b.engine.started.ID.String() + `","saga":"order-placement","version":1,"key":"A-1001","tenant":"default","status":"running",
		"paused":false,"revision":2,"created_at":"2026-11-21T10:00:00Z","updated_at":"2026-11-21T10:00:01Z","deadline":"2026-11-21T10:10:00Z","labels":{"channel":"web"},
		"steps":[
		{"name":"create-order","participant":"orders","kind":"compensatable","status":"succeeded","effect":"certain","attempts":1,"started_at":"2026-11-21T10:00:00Z","ended_at":"2026-11-21T10:00:01Z","output":{"order":1.5}},
		{"name":"charge-payment","participant":"payments","kind":"compensatable","status":"in_flight","effect":"possible","attempts":1,"started_at":"2026-11-21T10:00:01Z","expires_at":"2026-11-21T10:00:06Z"},
		{"name":"reserve-items","participant":"inventory","kind":"compensatable","status":"pending","effect":"none"},
		{"name":"confirm-order","participant":"orders","kind":"pivot","status":"pending","effect":"none"},
		{"name":"create-shipment","participant":"shipping","kind":"retriable","status":"pending","effect":"none"}],
		"blocked_on":[{"cause":"reply","step":"charge-payment","participant":"payments","verb":"execute","command":"ChargePayment.v1","attempt":1,"since":"2026-11-21T10:00:01Z","sent_at":"2026-11-21T10:00:01Z","until":"2026-11-21T10:00:06Z"}],
		"quarantined":[{"id":9,"reason":"bad_token","at":"2026-11-21T10:00:00Z"}]}`
	got, err := json.Marshal(raw)
	require.NoError(t, err)
	require.JSONEq(t, want, string(got), "what does not apply is absent")
}

func TestSaga_EndedHasCertificate(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.engine.finish(t)
	got := answerIn[client.Saga](t, b.do(t, exchange{method: "GET", path: b.sagaPath("")}), http.StatusOK)
	require.Equal(t, "committed", got.Certificate.Verdict)
	require.Len(t, got.Certificate.Effects, 5)
	require.NotNil(t, got.Certificate.Residue, "an empty list, not null")
	require.Empty(t, got.BlockedOn)
	require.NotNil(t, got.EndedAt)
}

func TestSaga_NotModified(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for header, status := range map[string]int{`"2"`: 304, `W/"2"`: 304, `"1", "2"`: 304, `*`: 304, `"1"`: 200, `2`: 200} {
		w := b.do(t, exchange{method: "GET", path: b.sagaPath(""), header: map[string]string{"If-None-Match": header}})
		require.Equal(t, status, w.Code, header)
		require.Equal(t, `"2"`, w.Header().Get("ETag"))
		if status == 304 {
			require.Empty(t, w.Body.String())
		}
	}
}

func TestSaga_Missing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	other := saga.NewID(testTime, 9, 9).String()
	for _, rest := range []string{"", "/history", "/graph", "/events"} {
		problemIn(t, b.do(t, exchange{method: "GET", path: "/v1/sagas/" + other + rest}), 404, "not_found")
		p := problemIn(t, b.do(t, exchange{method: "GET", path: "/v1/sagas/not-an-id" + rest}), 422, "invalid")
		require.Contains(t, paths(p), "path.id")
		problemIn(t, b.do(t, exchange{method: "GET", path: b.sagaPath(rest) + "?verbose=1"}), 422, "invalid")
	}
}

func TestSaga_OfADefinitionThatIsGoneIsNo404(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.engine.reader.view.Instance.Saga = "gone"
	problemIn(t, b.do(t, exchange{method: "GET", path: b.sagaPath("")}), 500, "internal")
}

func TestList_Filters(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.engine.reader.next = b.engine.started.ID
	query := "?saga=order-placement&version=3&status=running,suspended&status=completed&verdict=committed&attention=any&blocked_on=reply&key=A-1001&label=a:b&label=c:d:e" +
		"&created_after=2026-11-21T10:00:00Z&created_before=2026-11-22T10:00:00Z&order=oldest&limit=3&count=true"
	w := b.do(t, exchange{method: "GET", path: "/v1/sagas" + query})
	got := answerIn[client.SagaList](t, w, http.StatusOK)
	require.Len(t, got.Items, 1)
	require.Empty(t, got.Items[0].Input, "lists have no payloads")
	require.Empty(t, got.Items[0].Steps[0].Output)
	require.Equal(t, int64(7), *got.Count)
	require.Nil(t, got.AtLeast)
	require.Equal(t, orchestrator.SagaQuery{
		Tenant: "default", Saga: "order-placement", Version: 3, Statuses: []saga.Status{saga.Completed, saga.Running, saga.Suspended}, Verdict: saga.Committed,
		Attention: "any", BlockedOn: saga.CauseReply, Key: "A-1001", Labels: map[string]string{"a": "b", "c": "d:e"},
		CreatedAfter: testTime, CreatedBefore: testTime.Add(24 * time.Hour), OldestFirst: true, Limit: 3, Count: true,
	}, b.engine.reader.queries[0])

	w = b.do(t, exchange{method: "GET", path: "/v1/sagas" + query + "&cursor=" + got.NextCursor})
	answerIn[client.SagaList](t, w, http.StatusOK)
	require.Equal(t, b.engine.started.ID, b.engine.reader.queries[1].Past, "the cursor leads on")

	w = b.do(t, exchange{method: "GET", path: "/v1/sagas" + strings.Replace(query, "oldest", "newest", 1) + "&cursor=" + got.NextCursor})
	require.Equal(t, []string{"query.cursor"}, paths(problemIn(t, w, 422, "invalid")), "a cursor belongs to its order")

	w = b.do(t, exchange{method: "GET", path: "/v1/sagas?limit=3&cursor=" + got.NextCursor})
	require.Equal(t, []string{"query.cursor"}, paths(problemIn(t, w, 422, "invalid")), "a cursor belongs to its filters")
}

func TestList_Defaults(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.engine.reader.inexact = true
	got := answerIn[client.SagaList](t, b.do(t, exchange{method: "GET", path: "/v1/sagas"}), http.StatusOK)
	require.Empty(t, got.NextCursor)
	require.Nil(t, got.Count)
	require.Equal(t, 50, b.engine.reader.queries[0].Limit)
	got = answerIn[client.SagaList](t, b.do(t, exchange{method: "GET", path: "/v1/sagas?count=true"}), http.StatusOK)
	require.Nil(t, got.Count)
	require.Equal(t, int64(7), *got.AtLeast)
}

func TestList_SaysEverythingThatIsWrong(t *testing.T) {
	t.Parallel()
	b := setup(t)
	w := b.do(t, exchange{method: "GET", path: "/v1/sagas?saga=A&status=gone&blocked_on=luck&label=x&label=a:1&label=a:2&created_after=now&version=0&verdict=fine&order=biggest&limit=501&cursor=!&count=maybe"})
	p := problemIn(t, w, 422, "invalid")
	require.Subset(t, paths(p), []string{"query.saga", "query.status", "query.blocked_on", "query.label", "query.created_after", "query.version", "query.verdict", "query.order", "query.limit", "query.cursor", "query.count"})
	for _, q := range []string{"limit=0", "limit=-1", "limit=1.5", "offset=1", "status="} {
		if q == "status=" {
			continue // an empty parameter is an absent one
		}
		problemIn(t, b.do(t, exchange{method: "GET", path: "/v1/sagas?" + q}), 422, "invalid")
	}
	require.Empty(t, b.engine.reader.queries)
}

func TestHistory_PagesWithCoordinates(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var all []client.Fact
	cursor := ""
	for range 10 {
		got := answerIn[client.History](t, b.do(t, exchange{method: "GET", path: b.sagaPath("/history?limit=2" + cursor)}), http.StatusOK)
		all = append(all, got.Items...)
		if got.NextCursor == "" {
			break
		}
		cursor = "&cursor=" + got.NextCursor
	}
	require.Len(t, all, len(b.engine.reader.facts))
	for i, f := range all {
		require.Equal(t, int64(i+1), f.Seq)
	}
	require.JSONEq(t, testInput, string(all[0].Input))
	var started, answered bool
	for _, f := range all {
		if f.Type == "step.started" && f.Step == "create-order" {
			started = true
			require.Equal(t, "orders.commands", f.Record.Topic)
			require.Equal(t, int64(77), f.Record.Offset)
		}
		if f.Type == "step.succeeded" {
			answered = true
			judged := testTime.Add(time.Second)
			require.Equal(t, &client.Coordinates{Topic: "skald.replies", Partition: 1, Offset: 5, At: &judged}, f.Reply)
		}
	}
	require.True(t, started && answered)
	other := numberCursor(cursorHistory, "another", 3)
	p := problemIn(t, b.do(t, exchange{method: "GET", path: b.sagaPath("/history?cursor=" + other)}), 422, "invalid")
	require.Equal(t, []string{"query.cursor"}, paths(p), "a cursor belongs to its saga")
}

func TestGraph_HasPlacesAndStates(t *testing.T) {
	t.Parallel()
	b := setup(t)
	got := answerIn[client.Graph](t, b.do(t, exchange{method: "GET", path: b.sagaPath("/graph")}), http.StatusOK)
	require.Equal(t, 5, got.Layers)
	require.Equal(t, 1, got.Lanes)
	require.Len(t, got.Edges, 4)
	require.Equal(t, client.Edge{From: "create-order", To: "charge-payment", Done: true}, got.Edges[0])
	require.Equal(t, "RefundPayment.v1", got.Nodes[1].Compensation)
	require.Equal(t, "reply", got.Nodes[1].BlockedOn)
	require.Equal(t, 4, got.Nodes[4].Layer)
}

func TestGraph_DrawsAsFewEdgesAsTell(t *testing.T) {
	t.Parallel()
	step := func(name string, after ...int) saga.Step {
		return saga.Step{
			Name: name, Participant: "p", Command: "Do.v1", Kind: saga.Compensatable, EffectNone: true, After: after, Timeout: time.Second,
			Retry: saga.Retry{MaxAttempts: 1, Initial: time.Second, Multiplier: 1, Max: time.Second},
		}
	}
	def := &saga.Definition{Name: "d", Version: 1, Steps: []saga.Step{step("a"), step("b", 0), step("c", 0), step("d", 0, 1, 2)}}
	require.Empty(t, def.Link())
	in := saga.Instance{Steps: make([]saga.StepState, 4)}
	g := renderGraph(def, &in, nil)
	var edges []string
	for _, e := range g.Edges {
		edges = append(edges, e.From+e.To)
	}
	require.Equal(t, []string{"ab", "ac", "bd", "cd"}, edges, "ad follows from the others")
	require.Equal(t, 3, g.Layers)
	require.Equal(t, 2, g.Lanes)
	places := map[[2]int]bool{}
	for _, n := range g.Nodes {
		require.False(t, places[[2]int{n.Layer, n.Lane}], "two nodes in one place")
		places[[2]int{n.Layer, n.Lane}] = true
	}
}

func TestReads_WhenTheDatabaseIsGone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.engine.reader.err = errors.New("connection refused")
	for _, path := range []string{"/v1/sagas", b.sagaPath(""), "/v1/quarantine", "/v1/stats"} {
		p := problemIn(t, b.do(t, exchange{method: "GET", path: path}), 500, "internal")
		require.NotContains(t, p.Detail, "refused")
	}
}
