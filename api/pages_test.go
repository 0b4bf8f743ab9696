package api

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// hints opens a page's stream, and gives its "changed" events.
func hints(t *testing.T, b *serveBundle, path string) <-chan string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.base+path, nil)
	require.NoError(t, err)
	transport := &http.Transport{}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.StatusCode)
	require.Equal(t, "text/event-stream", resp.Header.Get("Content-Type"))
	out, ended := make(chan string, 16), make(chan struct{})
	go func() {
		defer close(ended)
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			if kind, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
				out <- kind
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		_ = resp.Body.Close() // the stream is cut off
		<-ended
		transport.CloseIdleConnections()
	})
	return out
}

func TestFollow_HintsAtChanges(t *testing.T) {
	t.Parallel()
	for name, one := range map[string]bool{"One": true, "Any": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := serveIt(t)
			path := "/live"
			if one {
				path = "/sagas/" + b.engine.started.ID.String() + "/live"
			}
			changed := hints(t, b, path)
			if one {
				require.Equal(t, "changed", <-changed, "it may have changed since the page was read")
			}
			b.hub.Committed(orchestrator.BatchStats{}, []saga.Instance{b.engine.finish(t)})
			select {
			case kind := <-changed:
				require.Equal(t, "changed", kind)
			case <-time.After(8 * time.Second):
				require.Fail(t, "a change of this replica must be hinted at before the page looks again by itself")
			}
		})
	}
}

func TestFollow_RefusesWhatIsNotThere(t *testing.T) {
	t.Parallel()
	b := setup(t)
	require.Equal(t, http.StatusNotFound, b.do(t, exchange{method: "GET", path: "/sagas/" + saga.NewID(testTime, 9, 9).String() + "/live"}).Code)
	require.Equal(t, http.StatusNotFound, b.do(t, exchange{method: "GET", path: "/sagas/x/live"}).Code)
}

func TestTallies_CountEachSagaOnce(t *testing.T) {
	t.Parallel()
	var n tallies
	at := testTime
	in := saga.Instance{Tenant: "t1", Status: saga.Running, CreatedAt: at, UpdatedAt: at}
	n.count([]saga.Instance{in})
	in.UpdatedAt = at.Add(time.Second)
	n.count([]saga.Instance{in})
	in.Status, in.EndedAt, in.Certificate = saga.Compensated, in.UpdatedAt, &saga.Certificate{Verdict: saga.Residue}
	n.count([]saga.Instance{in})
	in.UpdatedAt = in.UpdatedAt.Add(time.Second) // a late answer
	n.count([]saga.Instance{in})
	got := n.of("t1")
	require.Equal(t, [4]int64{1, 0, 1, 1}, [4]int64{got.Started, got.Completed, got.Compensated, got.Residue})
	require.Zero(t, n.of("t2"), "tenants never meet (S23)")
}

// TestPages_ErrorsAreThoseOfTheAPI: a page says what the API would answer, and no more.
func TestPages_ErrorsAreThoseOfTheAPI(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, err := pageBackend{b.api}.Saga(withPrincipal(t, anonymous()), "no-id")
	var refused *client.Error
	require.ErrorAs(t, err, &refused)
	require.Equal(t, http.StatusNotFound, refused.Status)

	_, err = pageBackend{b.api}.Sagas(withPrincipal(t, Principal{Tenant: "default"}), client.SagaFilter{Limit: 1})
	require.ErrorAs(t, err, &refused)
	require.Equal(t, codeForbidden, refused.Code)

	_, err = pageBackend{b.api}.Sagas(withPrincipal(t, anonymous()), client.SagaFilter{Limit: 1, Cursor: "x", Status: []client.Status{"odd"}})
	require.ErrorAs(t, err, &refused)
	require.Len(t, refused.Errors, 2, "all that is wrong at once")

	b.engine.reader.err = errors.New("secret")
	_, err = pageBackend{b.api}.Stats(withPrincipal(t, anonymous()))
	require.ErrorAs(t, err, &refused)
	require.Equal(t, codeInternal, refused.Code)
	require.NotContains(t, refused.Detail, "secret")
	require.ErrorContains(t, err, "secret", "the log is told")
}

func withPrincipal(t *testing.T, who Principal) context.Context {
	t.Helper()
	return context.WithValue(t.Context(), requestKey{}, &requestInfo{id: "r1", principal: who})
}

// TestPages_FormsOfOtherSitesAreRefused: a page of another origin can post no form (T3).
func TestPages_FormsOfOtherSitesAreRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	form := url.Values{"scope": {"tenant"}, "reason": {"x"}}.Encode()
	post := func(header map[string]string) int {
		header["Content-Type"] = "application/x-www-form-urlencoded"
		return b.do(t, exchange{method: "POST", path: "/holds", body: form, header: header}).Code
	}
	require.Equal(t, http.StatusForbidden, post(map[string]string{"Sec-Fetch-Site": "cross-site"}))
	require.Equal(t, http.StatusForbidden, post(map[string]string{"Origin": "http://evil.example"}))
	require.Equal(t, http.StatusForbidden, post(map[string]string{"Origin": "null"}))
	require.Equal(t, http.StatusSeeOther, post(map[string]string{"Sec-Fetch-Site": "same-origin", "Origin": "http://127.0.0.1:8080"}))
}

func TestPages_HaveTheirOwnPolicy(t *testing.T) {
	t.Parallel()
	b := setup(t)
	w := b.do(t, exchange{method: "GET", path: "/sagas"})
	require.Equal(t, http.StatusOK, w.Code)
	require.Equal(t, policyPages, w.Header().Get("Content-Security-Policy"))
	require.NotContains(t, policyPages, "unsafe")
	require.Equal(t, "same-origin", w.Header().Get("Referrer-Policy"), "with none, forms would come from the origin null")
	body, err := io.ReadAll(w.Body)
	require.NoError(t, err)
	require.NotContains(t, string(body), " style=")
}

// Records of a cause are rehearsed, then acted on once; the form says what is wrong, what stays, and that there are more.
func TestQuarantineMany(t *testing.T) {
	t.Parallel()
	b := setup(t, authenticated)
	status, html := b.page(t, "/quarantine/many?fingerprint=f1", bearer(RoleSupervisor))
	require.Equal(t, http.StatusOK, status)
	require.True(t, strings.Contains(html, `name="fingerprint" value="f1"`))

	values := url.Values{"fingerprint": {"f1"}, "cause": {"bad_token"}, "action": {"redrive"}, "why": {"mended"}, "once": {"form-8"}}
	status, html = b.form(t, "/quarantine/many", bearer(RoleSupervisor), values)
	require.Equal(t, http.StatusOK, status)
	require.True(t, strings.Contains(html, "Rehearsal: redrive 2 records"))
	require.True(t, strings.Contains(html, "token_unproven: who vouches?"), "why one would not be done")
	require.True(t, strings.Contains(html, "There are more of them"))
	req := b.engine.handledMany[0]
	require.True(t, req.DryRun)
	require.Equal(t, orchestrator.QuarantineQuery{Tenant: "default", Fingerprint: "f1", Reason: "bad_token"}, req.Filter)

	values.Set("confirm", "true")
	status, html = b.form(t, "/quarantine/many", bearer(RoleSupervisor), values)
	require.Equal(t, http.StatusOK, status)
	require.True(t, strings.Contains(html, "Go on with the next"))
	require.False(t, b.engine.handledMany[1].DryRun)
	require.Equal(t, "form-8", b.engine.handledMany[1].IdempotencyKey)
	require.Equal(t, "mended", b.engine.handledMany[1].Reason)

	values.Del("why")
	status, html = b.form(t, "/quarantine/many", bearer(RoleSupervisor), values)
	require.Equal(t, http.StatusUnprocessableEntity, status)
	require.True(t, strings.Contains(html, "Nothing was done"))
	for _, role := range []Role{RoleViewer, RoleOperator} {
		status, _ = b.form(t, "/quarantine/many", bearer(role), values)
		require.Equal(t, http.StatusForbidden, status, "%s may not act on many", role)
	}
	require.Len(t, b.engine.handledMany, 2)
}
