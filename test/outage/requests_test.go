package outage

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/api/client"
)

const (
	plain = "application/json"
	yaml  = "application/yaml"
)

// request is one that is refused.
type request struct {
	name, method, path, contentType, body string
	status                                int
	code                                  string
	errors                                []string // "path: text" of every error, in any order; a definition's with "line:column: " before
}

// brokenYAML has five mistakes, each on a line of its own.
const brokenYAML = `saga: broken
version: 1
colour: blue
steps:
  - name: one
    participant: p
    comand: Do.v1
  - name: two
    participant: UPPER
    command: Do.v1
    effect: none
    timeout: soon
`

func requests() []request {
	order := func(change string) string {
		return fmt.Sprintf(`{"saga":"order-placement","input":{"order_id":"bad","customer_id":"c","amount_cents":1,"payment_token":"tok_ok","items":[{"sku":"s","quantity":1}]}%s}`, change)
	}
	unknownID := "/v1/sagas/019aa000-0000-7000-8000-000000000000"
	return []request{
		{
			"DefinitionWithMistakes", "PUT", "/v1/definitions/broken/1", yaml, brokenYAML, 422, "invalid_definition",
			[]string{"3:1: colour: ", "7:5: steps[0].comand: ", "9:18: steps[1].participant: ", "12:14: steps[1].timeout: "},
		},
		{"DefinitionNoYAML", "PUT", "/v1/definitions/broken/1", yaml, "saga: [", 422, "invalid_definition", []string{"2:1: : not YAML: "}},
		{"DefinitionNotUTF8", "PUT", "/v1/definitions/broken/1", yaml, "saga: broken\nversion: 1\ndescription: \"\xff\"\n", 422, "invalid_definition", nil},
		{"DefinitionNoJSON", "PUT", "/v1/definitions/broken/1", plain, `{"saga":`, 400, "unreadable", nil},
		{"DefinitionOfOtherVersion", "PUT", "/v1/definitions/order-placement/2", yaml, string(placement()), 422, "invalid", []string{"path.version: "}},
		{"DefinitionWithOtherContent", "PUT", "/v1/definitions/order-placement/1", yaml, strings.Replace(string(placement()), "10m", "11m", 1), 409, "definition_exists", nil},
		{"DefinitionTooLarge", "PUT", "/v1/definitions/broken/1", yaml, "# " + strings.Repeat("x", 3<<20), 413, "too_large", nil},
		{"DefinitionOfWrongType", "PUT", "/v1/definitions/broken/1", "text/xml", "<saga/>", 415, "unsupported_media_type", nil},

		{
			"InputBreaksItsSchema", "POST", "/v1/sagas", plain,
			`{"saga":"order-placement","input":{"order_id":"","customer_id":7,"amount_cents":-1,"items":[{"sku":"s","quantity":0},{"quantity":1}]}}`, 422, "invalid",
			[]string{
				"body.input/order_id: ", "body.input/customer_id: ", "body.input/amount_cents: ", "body.input/payment_token: is missing",
				"body.input/items/0/quantity: ", "body.input/items/1/sku: is missing",
			},
		},
		{"InputNotThere", "POST", "/v1/sagas", plain, `{"saga":"order-placement"}`, 422, "invalid", []string{"body.input: "}},
		{"UnknownField", "POST", "/v1/sagas", plain, order(`,"inputs":1,"colour":"blue"`), 422, "invalid", []string{"body.inputs: ", "body.colour: "}},
		{"UnknownSagaType", "POST", "/v1/sagas", plain, `{"saga":"no-such-saga","input":{}}`, 404, "unknown_saga", nil},
		{"UnknownVersion", "POST", "/v1/sagas", plain, order(`,"version":9`), 404, "unknown_saga", nil},
		{"InputOverItsLimit", "POST", "/v1/sagas", plain, `{"saga":"order-placement","input":{"order_id":"` + strings.Repeat("x", 257<<10) + `"}}`, 413, "too_large", nil},
		{"BodyOverItsLimit", "POST", "/v1/sagas", plain, `{"saga":"order-placement","input":{"order_id":"` + strings.Repeat("x", 3<<20) + `"}}`, 413, "too_large", nil},
		{"NoJSON", "POST", "/v1/sagas", plain, `{"saga":"order-placement","input":{"order_id":`, 400, "unreadable", nil},
		{"LabelNotUTF8", "POST", "/v1/sagas", plain, order(",\"labels\":{\"a\":\"\xff\xfe\"}"), 400, "unreadable", nil},
		{"InputNotUTF8", "POST", "/v1/sagas", plain, strings.Replace(order(""), `"sku":"s"`, "\"sku\":\"\xff\"", 1), 400, "unreadable", nil},
		{"TooDeep", "POST", "/v1/sagas", plain, `{"saga":"order-placement","input":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + `}`, 400, "unreadable", nil},
		{"TwoBodies", "POST", "/v1/sagas", plain, order("") + order(""), 400, "unreadable", nil},
		{"NoBody", "POST", "/v1/sagas", plain, "", 400, "unreadable", nil},
		{"WrongType", "POST", "/v1/sagas", "text/plain", order(""), 415, "unsupported_media_type", nil},
		{"NoType", "POST", "/v1/sagas", "", order(""), 415, "unsupported_media_type", nil},
		{"BadWait", "POST", "/v1/sagas?wait=1h", plain, order(""), 422, "invalid", []string{"query.wait: "}},

		{"UnknownRoute", "GET", "/v1/nothing", "", "", 404, "unknown_route", nil},
		{"UnknownRouteOutside", "POST", "/nothing", plain, "{}", 404, "unknown_route", nil},
		{"WrongMethod", "DELETE", "/v1/sagas", "", "", 405, "method_not_allowed", nil},
		{"WrongMethodOfOne", "PATCH", unknownID, plain, "{}", 405, "method_not_allowed", nil},
		{"BadID", "GET", "/v1/sagas/42", "", "", 422, "invalid", []string{"path.id: "}},
		{"UnknownID", "GET", unknownID, "", "", 404, "not_found", nil},
		{"BadCursor", "GET", "/v1/sagas?cursor=nonsense", "", "", 422, "invalid", []string{"query.cursor: "}},
		{"BadCursorOfQuarantine", "GET", "/v1/quarantine?cursor=AAAA", "", "", 422, "invalid", []string{"query.cursor: "}},
		{
			"BadFilters", "GET", "/v1/sagas?status=sleeping&limit=0&blocked_on=rain&created_after=noon", "", "", 422, "invalid",
			[]string{"query.status", "query.limit: ", "query.blocked_on: ", "query.created_after: "},
		},
		{"UnknownFilter", "GET", "/v1/sagas?colour=blue", "", "", 422, "invalid", []string{"query.colour: "}},
		{"ActionOnNothing", "POST", unknownID + "/cancel", plain, `{"reason":"r"}`, 404, "not_found", nil},
		{"ActionWithoutReason", "POST", unknownID + "/cancel", plain, `{}`, 422, "invalid", []string{"body: "}},
		{"UnknownAction", "POST", unknownID + "/explode", plain, `{"reason":"r"}`, 404, "unknown_route", nil},
	}
}

// TestRequests_Refused: whatever is wrong with a request is said in full, as a problem with a stable code, and nothing of it
// is stored.
func TestRequests_Refused(t *testing.T) {
	t.Parallel()
	kafka := newBroker(t, nil).start()
	s := newSite(t, kafka.addr())
	r := s.serve().Ready(t)
	register(t, r.Client)
	registerWaiting(t, r.Client)
	started, err := startWaiting(t.Context(), r.Client)
	require.NoError(t, err)
	before := rows(t, s)
	require.Equal(t, int64(1), before["sagas"])
	t.Run("Each", func(t *testing.T) {
		for _, q := range requests() {
			t.Run(q.name, func(t *testing.T) {
				t.Parallel()
				q.refused(t, r.URL)
			})
		}
	})
	require.Equal(t, before, rows(t, s), "nothing that was refused may be stored")
	sg, err := r.Client.Saga(t.Context(), started)
	require.NoError(t, err)
	require.Equal(t, client.Running, sg.Status)
}

func (q *request) refused(t *testing.T, url string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), q.method, url+q.path, strings.NewReader(q.body))
	require.NoError(t, err)
	if q.contentType != "" {
		req.Header.Set("Content-Type", q.contentType)
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Equal(t, q.status, resp.StatusCode, "%s", body)
	require.Equal(t, "application/problem+json", resp.Header.Get("Content-Type"))
	var p client.Problem
	require.NoError(t, json.Unmarshal(body, &p), "%s", body)
	require.Equal(t, q.code, p.Code, "%s", body)
	require.Equal(t, q.status, p.Status)
	require.False(t, p.Retryable, "the same request can't succeed later")
	require.NotEmpty(t, p.RequestID)
	require.Equal(t, p.RequestID, resp.Header.Get("X-Request-Id"))
	if q.status == http.StatusMethodNotAllowed {
		require.NotEmpty(t, resp.Header.Get("Allow"))
	}
	var said []string
	for _, e := range p.Errors {
		require.NotEmpty(t, e.Message, "%s", body)
		at := ""
		if e.Line > 0 {
			at = fmt.Sprintf("%d:%d: ", e.Line, e.Column)
		}
		said = append(said, at+e.Path+": "+e.Message)
	}
	for _, want := range q.errors {
		require.True(t, slices.ContainsFunc(said, func(s string) bool { return strings.HasPrefix(s, want) }), "want %q among %q", want, said)
	}
}

// rows counts what the engine stores.
func rows(t *testing.T, s *site) map[string]int64 {
	t.Helper()
	out := map[string]int64{}
	for _, table := range []string{"definitions", "sagas", "history", "business_keys", "idempotency_keys", "holds", "quarantine", "audit"} {
		out[table] = count(t, s, table)
	}
	return out
}
