package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func field(t *testing.T, raw json.RawMessage, name string) string {
	t.Helper()
	var fields map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(raw, &fields), "%s", raw)
	return string(fields[name])
}

// badInputs: whatever comes is answered with a problem that names what is wrong, and nothing is started.
func badInputs(t *testing.T, b *bench) {
	const good = `{"order_id":"bad-1","customer_id":"c","amount_cents":1,"payment_token":"tok_ok","items":[{"sku":"s","quantity":1}]}`
	huge := strings.Repeat("x", 300<<10)
	for _, c := range []struct {
		name, method, path, contentType, body string
		status                                int
		code, says                            string
	}{
		{"NoJSON", "POST", "/v1/sagas", "application/json", `{"saga": "order-placement",`, 400, "unreadable", ""},
		{"Empty", "POST", "/v1/sagas", "application/json", ``, 400, "unreadable", ""},
		{"NoObject", "POST", "/v1/sagas", "application/json", `[]`, 422, "invalid", ""},
		{"WrongContentType", "POST", "/v1/sagas", "text/plain", `{"saga":"order-placement","input":` + good + `}`, 415, "unsupported_media_type", ""},
		{"UnknownField", "POST", "/v1/sagas", "application/json", `{"saga":"order-placement","inputs":{}}`, 422, "invalid", "inputs"},
		{"UnknownSaga", "POST", "/v1/sagas", "application/json", `{"saga":"no-such-saga","input":{}}`, 404, "unknown_saga", ""},
		{"UnknownVersion", "POST", "/v1/sagas", "application/json", `{"saga":"order-placement","version":9,"input":` + good + `}`, 404, "unknown_saga", ""},
		{"BreaksSchema", "POST", "/v1/sagas", "application/json", `{"saga":"order-placement","input":{"order_id":"","customer_id":"c","amount_cents":-1,"payment_token":"t","items":[]}}`, 422, "invalid", "amount_cents"},
		{"InputTooLarge", "POST", "/v1/sagas", "application/json", `{"saga":"order-placement","input":{"order_id":"` + huge + `"}}`, 413, "too_large", ""},
		{"KeyOfItsOwn", "POST", "/v1/sagas", "application/json", `{"saga":"order-placement","key":"mine","input":` + good + `}`, 422, "invalid", "key"},
		{"NoID", "GET", "/v1/sagas/nonsense", "", ``, 422, "invalid", ""},
		{"NoSuchSaga", "GET", "/v1/sagas/019aa000-0000-7000-8000-000000000000", "", ``, 404, "not_found", ""},
		{"NoReason", "POST", "/v1/sagas/019aa000-0000-7000-8000-000000000000/cancel", "application/json", `{}`, 422, "invalid", "reason"},
		{"NoSuchAction", "POST", "/v1/sagas/019aa000-0000-7000-8000-000000000000/explode", "application/json", `{"reason":"x"}`, 404, "unknown_route", ""},
		{"WrongFilter", "GET", "/v1/sagas?status=sleeping", "", ``, 422, "invalid", "status"},
		{"WrongCursor", "GET", "/v1/sagas?cursor=%00%00", "", ``, 422, "invalid", "cursor"},
		{"WrongMethod", "DELETE", "/v1/sagas", "", ``, 405, "method_not_allowed", ""},
		{"WrongDefinition", "PUT", "/v1/definitions/broken/1", "application/yaml", "saga: broken\nversion: 1\nsteps:\n  - name: a\n    participant: p\n    comand: Do.v1\n", 422, "invalid_definition", "steps[0].comand"},
		{"DefinitionOfOtherName", "PUT", "/v1/definitions/other/1", "application/yaml", "saga: broken\nversion: 1\nsteps:\n  - {name: a, participant: p, command: Do.v1, effect: none}\n", 422, "", ""},
		{"NoDefinition", "PUT", "/v1/definitions/broken/1", "application/json", `{`, 400, "unreadable", "YAML"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			req, err := http.NewRequestWithContext(t.Context(), c.method, b.URL+c.path, strings.NewReader(c.body))
			require.NoError(t, err)
			if c.contentType != "" {
				req.Header.Set("Content-Type", c.contentType)
			}
			resp, err := http.DefaultClient.Do(req)
			require.NoError(t, err)
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			require.NoError(t, err)
			require.Equal(t, c.status, resp.StatusCode, "%s", body)
			require.Equal(t, "application/problem+json", resp.Header.Get("Content-Type"))
			var problem struct {
				Code      string `json:"code"`
				RequestID string `json:"request_id"`
				Status    int    `json:"status"`
			}
			require.NoError(t, json.Unmarshal(body, &problem), "%s", body)
			if c.code != "" {
				require.Equal(t, c.code, problem.Code, "%s", body)
			}
			require.Equal(t, c.status, problem.Status)
			require.NotEmpty(t, problem.RequestID)
			require.Contains(t, string(body), c.says, "the answer must name what is wrong")
		})
	}
}
