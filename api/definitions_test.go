package api

import (
	"encoding/hex"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/orchestrator"
)

func TestPutDefinition_FromYAMLAndJSON(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.engine.created = true
	yaml := string(b.engine.row.Source)
	w := b.do(t, exchange{method: "PUT", path: "/v1/definitions/order-placement/1", body: yaml, header: map[string]string{"Content-Type": "application/yaml; charset=utf-8"}})
	got := answerIn[client.Definition](t, w, http.StatusCreated)
	require.Equal(t, "/v1/definitions/order-placement/1", w.Header().Get("Location"))
	require.Equal(t, hex.EncodeToString(b.engine.def.Hash[:]), got.Hash)
	require.Equal(t, yaml, string(b.engine.puts[0]), "the source is kept as given")

	b.engine.created = false
	w = b.do(t, exchange{method: "PUT", path: "/v1/definitions/order-placement/1?activate=false", body: string(b.engine.row.Content)})
	require.Equal(t, "active", answerIn[client.Definition](t, w, http.StatusOK).State)
}

func TestPutDefinition_Refusals(t *testing.T) {
	t.Parallel()
	b := setup(t)
	content := string(b.engine.row.Content)
	put := func(path, body string) client.Problem {
		w := b.do(t, exchange{method: "PUT", path: path, body: body})
		var p client.Problem
		if w.Code == 422 {
			p = problemIn(t, w, 422, map[bool]string{true: "invalid_definition", false: "invalid"}[strings.Contains(w.Body.String(), "invalid_definition")])
		}
		return p
	}
	require.ElementsMatch(t, []string{"path.name", "path.version"}, paths(put("/v1/definitions/other/2", content)), "name and version must match the content")
	require.Empty(t, b.engine.puts)
	require.ElementsMatch(t, []string{"path.version"}, paths(put("/v1/definitions/order-placement/zero", content)))
	p := put("/v1/definitions/order-placement/1", `{"saga":"order-placement","version":1,"step":[]}`)
	require.Equal(t, "invalid_definition", p.Code)
	require.Greater(t, len(p.Errors), 1, "all problems at once")
	require.NotZero(t, p.Errors[0].Line)

	w := b.do(t, exchange{method: "PUT", path: "/v1/definitions/order-placement/1", body: string(b.engine.row.Source)})
	problemIn(t, w, 400, "unreadable") // YAML that says it is JSON
	w = b.do(t, exchange{method: "PUT", path: "/v1/definitions/order-placement/1", body: content, header: map[string]string{"Content-Type": "text/yaml"}})
	problemIn(t, w, 415, "unsupported_media_type")
	w = b.do(t, exchange{method: "PUT", path: "/v1/definitions/order-placement/1", body: strings.Repeat(" ", 1<<20+10)})
	problemIn(t, w, 413, "too_large")

	b.engine.err = orchestrator.ErrConflict
	problemIn(t, b.do(t, exchange{method: "PUT", path: "/v1/definitions/order-placement/1", body: content}), 409, "definition_exists")
	b.engine.err = &orchestrator.TopicMissingError{Topics: []string{"orders.commands"}}
	p = problemIn(t, b.do(t, exchange{method: "PUT", path: "/v1/definitions/order-placement/1", body: content}), 409, "topic_missing")
	require.Equal(t, []string{"orders.commands"}, p.Topics)
}

func TestSetDefinition(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for action, want := range map[string]orchestrator.DefinitionState{"activate": orchestrator.DefinitionActive, "retire": orchestrator.DefinitionRetired} {
		path := "/v1/definitions/order-placement/1/" + action
		answerIn[client.Definition](t, b.do(t, exchange{method: "POST", path: path, body: `{"reason":"r"}`}), http.StatusOK)
		require.Equal(t, want, b.engine.states[len(b.engine.states)-1])
		require.Equal(t, []string{"body"}, paths(problemIn(t, b.do(t, exchange{method: "POST", path: path, body: `{}`}), 422, "invalid")))
		problemIn(t, b.do(t, exchange{method: "POST", path: path}), 400, "unreadable")
	}
	b.engine.err = orchestrator.ErrNotFound
	problemIn(t, b.do(t, exchange{method: "POST", path: "/v1/definitions/order-placement/9/retire", body: `{"reason":"r"}`}), 404, "not_found")
}

func TestGetDefinitions(t *testing.T) {
	t.Parallel()
	b := setup(t)
	list := answerIn[client.DefinitionList](t, b.do(t, exchange{method: "GET", path: "/v1/definitions"}), http.StatusOK)
	require.Len(t, list.Items, 1)
	require.Empty(t, list.Items[0].Content)
	answerIn[client.DefinitionList](t, b.do(t, exchange{method: "GET", path: "/v1/definitions/order-placement"}), http.StatusOK)
	problemIn(t, b.do(t, exchange{method: "GET", path: "/v1/definitions/other"}), 404, "not_found")
	problemIn(t, b.do(t, exchange{method: "GET", path: "/v1/definitions/Other"}), 422, "invalid")

	one := answerIn[client.Definition](t, b.do(t, exchange{method: "GET", path: "/v1/definitions/order-placement/1"}), http.StatusOK)
	require.JSONEq(t, string(b.engine.row.Content), string(one.Content))
	w := b.do(t, exchange{method: "GET", path: "/v1/definitions/order-placement/1", header: map[string]string{"Accept": "application/yaml, application/json;q=0.5"}})
	require.Equal(t, "application/yaml", w.Header().Get("Content-Type"))
	require.Equal(t, string(b.engine.row.Source), w.Body.String(), "with its comments")
	problemIn(t, b.do(t, exchange{method: "GET", path: "/v1/definitions/order-placement/2"}), 404, "not_found")
	problemIn(t, b.do(t, exchange{method: "GET", path: "/v1/definitions/order-placement/0"}), 422, "invalid")
}

func TestCheckDefinition(t *testing.T) {
	t.Parallel()
	b := setup(t)
	check := func(body string) client.CheckResult {
		w := b.do(t, exchange{method: "POST", path: "/v1/definitions:check", body: body, header: map[string]string{"Content-Type": "application/yaml"}})
		return answerIn[client.CheckResult](t, w, http.StatusOK)
	}
	require.True(t, check(string(b.engine.row.Source)).OK)
	wrong := check("saga: A\nversion: 0\nsteps: [{name: x}]\n")
	require.False(t, wrong.OK)
	require.Greater(t, len(wrong.Problems), 2)
	require.NotEmpty(t, check("a: [").Problems)
	problemIn(t, b.do(t, exchange{method: "POST", path: "/v1/definitions:check", body: "{"}), 400, "unreadable")
}

func TestQuarantine(t *testing.T) {
	t.Parallel()
	b := setup(t)
	got := answerIn[client.QuarantineList](t, b.do(t, exchange{method: "GET", path: "/v1/quarantine?limit=1"}), http.StatusOK)
	require.Len(t, got.Items, 1)
	require.Equal(t, "bad_token", got.Items[0].Reason)
	require.Nil(t, got.Items[0].Value, "a page of them would be as large as 500 records are")
	require.Nil(t, got.Items[0].Headers)
	got = answerIn[client.QuarantineList](t, b.do(t, exchange{method: "GET", path: "/v1/quarantine?limit=5&cursor=" + got.NextCursor}), http.StatusOK)
	require.Equal(t, int64(8), got.Items[0].ID)
	require.Empty(t, got.NextCursor)
	problemIn(t, b.do(t, exchange{method: "GET", path: "/v1/quarantine?cursor=AAAA"}), 422, "invalid")
}

func TestStatsAndHealth(t *testing.T) {
	t.Parallel()
	b := setup(t)
	stats := answerIn[client.Stats](t, b.do(t, exchange{method: "GET", path: "/v1/stats"}), http.StatusOK)
	require.Equal(t, client.Stats{
		Live: 1, ByStatus: map[string]int64{"running": 1}, ByCause: map[string]int64{"reply": 1},
		ByDefinition: map[string]int64{"order-placement": 1}, Quarantined: 2,
		ByParticipant: map[string]client.ParticipantCounts{"payments": {InFlight: 1}},
	}, stats)
	require.Equal(t, client.Health{Status: "ok", Version: "test"}, answerIn[client.Health](t, b.do(t, exchange{method: "GET", path: "/healthz"}), 200))
	answerIn[client.Health](t, b.do(t, exchange{method: "GET", path: "/readyz"}), 200)
	b.engine.ready = orchestrator.ErrStopping
	p := problemIn(t, b.do(t, exchange{method: "GET", path: "/readyz"}), 503, "not_ready")
	require.True(t, p.Retryable)
	answerIn[client.Health](t, b.do(t, exchange{method: "GET", path: "/healthz"}), 200)
}
