package api

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/orchestrator"
)

func bearer(role Role) map[string]string {
	return map[string]string{"Authorization": "Bearer " + string(role) + "/default"}
}

func TestQuarantine_OneRecordByteForByte(t *testing.T) {
	t.Parallel()
	b := setup(t, authenticated)
	b.engine.reader.quarantine[0].Fingerprint = "0011223344556677"
	b.engine.reader.quarantine[0].Handling = orchestrator.QuarantineHandling{
		State: orchestrator.QuarantineDiscarded, Outcome: orchestrator.QuarantineDropped, By: "op", Reason: "rubbish", At: testTime,
	}
	q := answerIn[client.Quarantined](t, b.do(t, exchange{method: "GET", path: "/v1/quarantine/9", header: bearer(RoleAdmin)}), http.StatusOK)
	require.Equal(t, []byte("v\x00v"), q.Value)
	require.Equal(t, "v\x00v", q.ValueText)
	require.Equal(t, "k", q.KeyText)
	require.Equal(t, []client.Header{{Key: "ce_id", Value: []byte("1"), Text: "1"}}, q.Headers)
	require.Equal(t, "0011223344556677", q.Fingerprint)
	require.Equal(t, &client.QuarantineHandling{Outcome: client.QuarantineDropped, By: "op", Reason: "rubbish", At: testTime}, q.Handled)

	q = answerIn[client.Quarantined](t, b.do(t, exchange{method: "GET", path: "/v1/quarantine/9", header: bearer(RoleViewer)}), http.StatusOK)
	require.Equal(t, "bad_token", q.Reason)
	require.Empty(t, q.Key)
	require.Empty(t, q.Headers)
	require.Empty(t, q.Value)
	require.Empty(t, q.ValueText)

	b.engine.reader.quarantine[0].Value = []byte("\xff")
	q = answerIn[client.Quarantined](t, b.do(t, exchange{method: "GET", path: "/v1/quarantine/9", header: bearer(RoleAdmin)}), http.StatusOK)
	require.Empty(t, q.ValueText, "no text")
	require.Equal(t, []byte("\xff"), q.Value)
	problemIn(t, b.do(t, exchange{method: "GET", path: "/v1/quarantine/7", header: bearer(RoleAdmin)}), 404, "not_found")
	problemIn(t, b.do(t, exchange{method: "GET", path: "/v1/quarantine/9", header: map[string]string{"Authorization": "Bearer admin/other"}}), 404, "not_found")
	problemIn(t, b.do(t, exchange{method: "GET", path: "/v1/quarantine/x", header: bearer(RoleAdmin)}), 422, "invalid")
}

func TestQuarantine_FiltersAndGroups(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.engine.started.ID
	filter := "fingerprint=f1&reason=bad_token&topic=skald.replies&state=waiting&limit=1&saga=" + id.String()
	list := answerIn[client.QuarantineList](t, b.do(t, exchange{method: "GET", path: "/v1/quarantine?" + filter}), http.StatusOK)
	want := orchestrator.QuarantineQuery{
		Tenant: "default", Fingerprint: "f1", Reason: "bad_token", Topic: "skald.replies", Saga: id, State: orchestrator.QuarantineWaiting, Limit: 1,
	}
	require.Equal(t, want, b.engine.reader.quarantineQueries[0])
	answerIn[client.QuarantineList](t, b.do(t, exchange{method: "GET", path: "/v1/quarantine?" + filter + "&cursor=" + list.NextCursor}), http.StatusOK)
	want.Before = 9
	require.Equal(t, want, b.engine.reader.quarantineQueries[1])
	p := problemIn(t, b.do(t, exchange{method: "GET", path: "/v1/quarantine?cursor=" + list.NextCursor}), 422, "invalid")
	require.Equal(t, []string{"query.cursor"}, paths(p), "a cursor of other filters")
	p = problemIn(t, b.do(t, exchange{method: "GET", path: "/v1/quarantine?saga=x&state=odd"}), 422, "invalid")
	require.ElementsMatch(t, []string{"query.saga", "query.state"}, paths(p))

	groups := answerIn[client.QuarantineGroupList](t, b.do(t, exchange{method: "GET", path: "/v1/quarantine/groups?reason=bad_token"}), http.StatusOK)
	require.Len(t, groups.Items, 1)
	require.EqualValues(t, 7, groups.Items[0].Count)
	require.EqualValues(t, 9, groups.Items[0].Example)
	require.Equal(t, "bad_token", b.engine.reader.quarantineQueries[2].Reason)
}

func TestQuarantine_ActOnOne(t *testing.T) {
	t.Parallel()
	b := setup(t, authenticated)
	post := exchange{method: "POST", path: "/v1/quarantine/9/redrive", body: `{"reason":" the key is back "}`, header: bearer(RoleOperator)}
	got := answerIn[client.QuarantineResult](t, b.do(t, post), http.StatusOK)
	require.Equal(t, client.QuarantineResult{
		ID: 9, State: client.QuarantineWaiting, Outcome: client.QuarantineAgain, Why: "not_asked: never sent",
		Cause: &client.QuarantineCause{Reason: "not_asked", Message: "never sent"},
	}, got)
	req := b.engine.handled[0]
	require.NotEmpty(t, req.RequestID)
	req.RequestID = ""
	require.Equal(t, orchestrator.QuarantineRequest{Tenant: "default", ID: 9, Action: orchestrator.QuarantineRedrive, Reason: "the key is back", By: "operator"}, req)

	post.header["Idempotency-Key"] = "again"
	w := b.do(t, post)
	require.Equal(t, "true", w.Header().Get("Idempotency-Replayed"))
	require.Equal(t, "again", b.engine.handled[1].IdempotencyKey)

	post.path = "/v1/quarantine/9/redrive?dry_run=true"
	got = answerIn[client.QuarantineResult](t, b.do(t, post), http.StatusOK)
	require.Len(t, b.engine.handled, 2, "nothing is done")
	require.Equal(t, client.QuarantineApplied, got.Outcome)
	require.Equal(t, "reserve-items", got.Preview.Commands[0].Step, "the exact command that would follow")

	post.path, post.body = "/v1/quarantine/9/discard", `{"reason":"rubbish"}`
	answerIn[client.QuarantineResult](t, b.do(t, post), http.StatusOK)
	require.Equal(t, orchestrator.QuarantineDiscard, b.engine.handled[2].Action)
}

func TestQuarantine_ToVouchTakesAPermissionOfItsOwn(t *testing.T) {
	t.Parallel()
	b := setup(t, authenticated)
	for _, path := range []string{"/v1/quarantine/9/redrive", "/v1/quarantine:redrive"} {
		body, permission := `{"reason":"r","vouch":true}`, "vouch"
		if path == "/v1/quarantine:redrive" {
			permission = "bulk" // which nobody has who may not vouch
			body = `{"reason":"r","vouch":true,"filter":{"all":true}}`
		}
		e := exchange{method: "POST", path: path, body: body, header: bearer(RoleOperator)}
		p := problemIn(t, b.do(t, e), http.StatusForbidden, "forbidden")
		require.Contains(t, p.Detail, permission)
		require.Empty(t, b.engine.handledMany)
		e.header = bearer(RoleSupervisor)
		require.Equal(t, http.StatusOK, b.do(t, e).Code)
	}
	require.True(t, b.engine.handled[0].Vouch)
	require.True(t, b.engine.handledMany[0].Vouch)
	p := problemIn(t, b.do(t, exchange{method: "POST", path: "/v1/quarantine/9/discard", body: `{"reason":"r","vouch":true}`, header: bearer(RoleAdmin)}), 422, "invalid")
	require.Equal(t, []string{"body.vouch"}, paths(p))
}

func TestQuarantine_ActOnMany(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.engine.started.ID
	e := exchange{method: "POST", path: "/v1/quarantine:redrive", body: `{"filter":{"fingerprint":"f1","saga":"` + id.String() + `"},"reason":"mended"}`}
	many := answerIn[client.QuarantineMany](t, b.do(t, e), http.StatusOK)
	require.Equal(t, map[string]int{"applied": 1, "error": 1}, many.Counts)
	require.True(t, many.More)
	require.Equal(t, client.QuarantineEach{ID: 8, Result: &client.QuarantineResult{ID: 8, State: client.QuarantineRedriven, Outcome: client.QuarantineApplied, SagaID: id.String(), Revision: 4}}, many.Items[0])
	require.Equal(t, client.QuarantineEach{ID: 9, Error: &client.QuarantineError{Code: "token_unproven", Detail: "who vouches?", Possible: []string{"discard"}}}, many.Items[1])
	req := b.engine.handledMany[0]
	require.Equal(t, orchestrator.QuarantineQuery{Tenant: "default", Fingerprint: "f1", Saga: id}, req.Filter)
	require.Equal(t, 100, req.Limit)
	require.False(t, req.DryRun)

	e.path, e.body = "/v1/quarantine:discard?dry_run=true", `{"filter":{"all":true},"reason":"rubbish","limit":7}`
	answerIn[client.QuarantineMany](t, b.do(t, e), http.StatusOK)
	req = b.engine.handledMany[1]
	require.Equal(t, orchestrator.QuarantineDiscard, req.Action)
	require.Equal(t, 7, req.Limit)
	require.True(t, req.DryRun)

	for body, path := range map[string]string{
		`{"filter":{},"reason":"r"}`:                              "body.filter",
		`{"filter":{"all":true,"reason":"poison"},"reason":"r"}`:  "body.filter",
		`{"filter":{"saga":"x"},"reason":"r"}`:                    "body.filter.saga",
		`{"filter":{"all":true},"reason":""}`:                     "body.reason",
		`{"filter":{"all":true},"reason":"r","limit":501}`:        "body.limit",
		`{"filter":{"all":true,"status":"waiting"},"reason":"r"}`: "body.filter.status",
	} {
		p := problemIn(t, b.do(t, exchange{method: "POST", path: "/v1/quarantine:redrive", body: body}), 422, "invalid")
		require.Contains(t, paths(p), path, body)
	}
	require.Len(t, b.engine.handledMany, 2)
}

func TestQuarantine_RefusalsSayWhatIsPossible(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.engine.err = &orchestrator.QuarantineRefusedError{ID: 9, Code: orchestrator.QuarantineNotKept, Message: "its bytes were not kept", Possible: []string{"discard"}}
	p := problemIn(t, b.do(t, exchange{method: "POST", path: "/v1/quarantine/9/redrive", body: `{"reason":"r"}`}), http.StatusConflict, "not_kept")
	require.Equal(t, []string{"discard"}, p.Possible)
	p = problemIn(t, b.do(t, exchange{method: "POST", path: "/v1/quarantine/9/redrive", body: `{"why":"r"}`}), 422, "invalid")
	require.Contains(t, paths(p), "body.why")
}
