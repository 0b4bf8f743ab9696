package api

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/api/client"
)

func TestLimits_SetListedAndRemoved(t *testing.T) {
	t.Parallel()
	b := setup(t, authenticated)
	as := func(role string) map[string]string {
		return map[string]string{"Authorization": "Bearer " + role + "/default"}
	}
	put := exchange{method: "PUT", path: "/v1/limits/saga_type/order-placement", body: `{"sagas":100,"commands":50,"reason":" the warehouse is small "}`, header: as("operator")}
	set := answerIn[client.Limit](t, b.do(t, put), http.StatusOK)
	require.Equal(t, client.Limit{Scope: client.HoldSagaType, Name: "order-placement", Sagas: 100, Commands: 50, Reason: "the warehouse is small", By: "operator"}, set)
	put.body = `{"sagas":7,"reason":"r"}`
	set = answerIn[client.Limit](t, b.do(t, put), http.StatusOK)
	require.Equal(t, 7, set.Sagas)
	require.Zero(t, set.Commands, "a limit is replaced as a whole")
	b.engine.limits[0].Begun, b.engine.limits[0].Out, b.engine.limits[0].Waiting = 7, 9, 3
	list := answerIn[client.LimitList](t, b.do(t, exchange{method: "GET", path: "/v1/limits", header: as("viewer")}), http.StatusOK)
	require.Len(t, list.Items, 1)
	require.Equal(t, [3]int{7, 9, 3}, [3]int{list.Items[0].Begun, list.Items[0].Out, list.Items[0].Waiting})

	remove := exchange{method: "DELETE", path: "/v1/limits/saga_type/order-placement?reason=grown", header: as("operator")}
	w := b.do(t, remove)
	require.Equal(t, http.StatusNoContent, w.Code, w.Body.String())
	problemIn(t, b.do(t, remove), http.StatusNotFound, "not_found")
}

func TestLimits_SayEverythingThatIsWrong(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := problemIn(t, b.do(t, exchange{method: "PUT", path: "/v1/limits/participant/payments", body: `{"sagas":-1}`}), http.StatusUnprocessableEntity, "invalid")
	require.ElementsMatch(t, []string{"body.sagas", "body"}, paths(p))
	problemIn(t, b.do(t, exchange{method: "PUT", path: "/v1/limits/tenant/default", body: `{"commands":1,"reason":"r"}`}), http.StatusUnprocessableEntity, "invalid")
	problemIn(t, b.do(t, exchange{method: "DELETE", path: "/v1/limits/participant/payments"}), http.StatusUnprocessableEntity, "invalid")
}

// TestLimitsPage_SaysEverythingThatIsWrong: the form comes back with what was typed, and nothing is set.
func TestLimitsPage_SaysEverythingThatIsWrong(t *testing.T) {
	t.Parallel()
	b := setup(t)
	post := func(path string, form url.Values) *httptest.ResponseRecorder {
		return b.do(t, exchange{method: "POST", path: path, body: form.Encode(), header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}})
	}
	typed := url.Values{"scope": {"participant"}, "name": {"payments"}, "commands": {"0x"}, "sagas": {"-3"}, "reason": {"r"}}
	w := post("/limits", typed)
	require.Equal(t, http.StatusUnprocessableEntity, w.Code)
	require.Contains(t, w.Body.String(), `value="0x"`)
	require.Equal(t, 2, strings.Count(w.Body.String(), "want a whole number above 0"))
	typed = url.Values{"scope": {"tenant"}, "name": {""}, "commands": {"5"}, "reason": {"r"}}
	require.Equal(t, 2, strings.Count(post("/limits", typed).Body.String(), "want a name of at most")+strings.Count(post("/limits", typed).Body.String(), "want participant or saga_type"))
	require.Empty(t, b.engine.limits)

	typed = url.Values{"scope": {"participant"}, "name": {"payments"}, "commands": {"5"}, "reason": {"r"}}
	require.Equal(t, http.StatusSeeOther, post("/limits", typed).Code)
	require.Len(t, b.engine.limits, 1)
	require.Equal(t, http.StatusUnprocessableEntity, post("/limits/participant/payments/remove", url.Values{"reason": {" "}}).Code)
	require.Equal(t, http.StatusSeeOther, post("/limits/participant/payments/remove", url.Values{"reason": {"grown"}}).Code)
	require.Empty(t, b.engine.limits)
	require.Equal(t, http.StatusNotFound, post("/limits/participant/payments/remove", url.Values{"reason": {"grown"}}).Code)
}
