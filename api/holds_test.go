package api

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/orchestrator"
)

func TestHolds_SetListedAndEnded(t *testing.T) {
	t.Parallel()
	b := setup(t, authenticated)
	as := func(role string) map[string]string {
		return map[string]string{"Authorization": "Bearer " + role + "/default"}
	}
	post := exchange{method: "POST", path: "/v1/holds", body: `{"scope":"participant","name":"payments","reason":" the gateway is away "}`, header: as("operator")}
	w := b.do(t, post)
	set := answerIn[client.Hold](t, w, http.StatusCreated)
	require.Equal(t, "/v1/holds/1", w.Header().Get("Location"))
	require.Equal(t, client.Hold{ID: 1, Scope: client.HoldParticipant, Name: "payments", Reason: "the gateway is away", Kind: client.HoldOperator, By: "operator", State: client.HoldHolding}, set)
	require.Equal(t, set, answerIn[client.Hold](t, b.do(t, post), http.StatusOK), "one that is in force already is answered")
	list := answerIn[client.HoldList](t, b.do(t, exchange{method: "GET", path: "/v1/holds", header: as("viewer")}), http.StatusOK)
	require.Equal(t, []client.Hold{set}, list.Items)
	b.engine.counted = orchestrator.HoldCount{Held: 7, InFlight: 2, Exact: true}
	b.engine.holds[0].QuietAt = time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)
	status := answerIn[client.HoldStatus](t, b.do(t, exchange{method: "GET", path: "/v1/holds/1", header: as("viewer")}), http.StatusOK)
	require.Equal(t, client.HoldStatus{Hold: set, Held: 7, InFlight: 2, Exact: true, QuietSince: b.engine.holds[0].QuietAt}, status)
	problemIn(t, b.do(t, exchange{method: "GET", path: "/v1/holds/2", header: as("viewer")}), http.StatusNotFound, "not_found")

	end := exchange{method: "DELETE", path: "/v1/holds/1?reason=mended&rate=20", header: as("operator")}
	w = b.do(t, end)
	require.Equal(t, http.StatusNoContent, w.Code, w.Body.String())
	require.Empty(t, w.Body.String())
	require.Equal(t, 20, b.engine.released.Rate)
	require.Equal(t, "operator", b.engine.released.By)
	problemIn(t, b.do(t, end), http.StatusNotFound, "not_found")
}

func TestHolds_AllTenantsTakeAnAdmin(t *testing.T) {
	t.Parallel()
	b := setup(t, authenticated)
	for role, status := range map[Role]int{RoleOperator: http.StatusForbidden, RoleAdmin: http.StatusCreated} {
		w := b.do(t, exchange{
			method: "POST", path: "/v1/holds", body: `{"scope":"all","reason":"r"}`,
			header: map[string]string{"Authorization": "Bearer " + string(role) + "/default"},
		})
		require.Equal(t, status, w.Code, w.Body.String())
	}
}

func TestHolds_SayEverythingThatIsWrong(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := problemIn(t, b.do(t, exchange{method: "POST", path: "/v1/holds", body: `{"scope":"moon","version":0,"why":"w"}`}), http.StatusUnprocessableEntity, "invalid")
	require.ElementsMatch(t, []string{"body.scope", "body.version", "body", "body.why"}, paths(p))
	problemIn(t, b.do(t, exchange{method: "POST", path: "/v1/holds", body: `scope=all`}), http.StatusBadRequest, "unreadable")
	p = problemIn(t, b.do(t, exchange{method: "DELETE", path: "/v1/holds/1"}), http.StatusUnprocessableEntity, "invalid")
	require.Equal(t, []string{"query.reason"}, paths(p))
	b.engine.err = &orchestrator.InputError{Message: "the hold is wrong", Fields: []orchestrator.FieldError{{Path: "name", Message: "needs one"}}}
	p = problemIn(t, b.do(t, exchange{method: "POST", path: "/v1/holds", body: `{"scope":"participant","reason":"r"}`}), http.StatusUnprocessableEntity, "invalid")
	require.Equal(t, []string{"body.name"}, paths(p))
}

// What touches every tenant is for those who run the installation: an admin of one tenant cannot stop the others.
func TestHolds_OnAllTenantsTakeAnAdminOfTheDefaultOne(t *testing.T) {
	t.Parallel()
	b := setup(t, authenticated)
	for who, status := range map[string]int{"admin/default": 201, "admin/other": 403, "operator/default": 403} {
		w := b.do(t, exchange{method: "POST", path: "/v1/holds", body: `{"scope":"all","reason":"r"}`, header: map[string]string{"Authorization": "Bearer " + who}})
		require.Equal(t, status, w.Code, who)
		require.Equal(t, who == "admin/default", strings.Contains(b.do(t, exchange{method: "GET", path: "/holds", header: map[string]string{"Authorization": "Bearer " + who}}).Body.String(), `value="all"`), who)
	}
}
