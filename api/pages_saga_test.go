package api

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// page asks for a page of the dashboard as a browser does.
func (b *testBundle) page(t *testing.T, path string, header map[string]string) (int, string) {
	t.Helper()
	h := map[string]string{"Accept": "text/html"}
	for k, v := range header {
		h[k] = v
	}
	w := b.do(t, exchange{method: http.MethodGet, path: path, header: h})
	return w.Code, w.Body.String()
}

func TestSagaPage_OffersWhatWhoeverLooksMayDo(t *testing.T) {
	t.Parallel()
	b := setup(t, authenticated)
	path := "/sagas/" + b.engine.started.ID.String()
	for role, want := range map[Role][]string{
		RoleViewer:     nil,
		RoleOperator:   {"/act/cancel", "/act/pause"},
		RoleSupervisor: {"/act/cancel", "/act/pause", "/act/complete?step=charge-payment", "/act/reject?step=charge-payment"},
	} {
		status, html := b.page(t, path, bearer(role))
		require.Equal(t, http.StatusOK, status)
		for _, action := range []string{"/act/cancel", "/act/pause", "/act/complete?step=charge-payment", "/act/reject?step=charge-payment"} {
			require.Equal(t, slices.Contains(want, action), strings.Contains(html, path+action), "%s and %s", role, action)
		}
		require.False(t, strings.Contains(html, "/act/waive"), "nothing is to be waived")
	}
}

func TestSagaPage_MasksAsTheAPIDoes(t *testing.T) {
	t.Parallel()
	b := setup(t, authenticated)
	b.engine.def.Redact = []string{"/payment_token"}
	path := "/sagas/" + b.engine.started.ID.String()
	_, html := b.page(t, path, bearer(RoleViewer))
	require.False(t, strings.Contains(html, "tok_ok"), "nowhere on the page")
	require.True(t, strings.Contains(html, "masked for your role"))
	_, html = b.page(t, path, bearer(RoleAdmin))
	require.True(t, strings.Contains(html, "tok_ok"))
}

func TestSagaPage_UnknownSagaIsAPageToo(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, path := range []string{"/sagas/no-uuid", "/sagas/" + saga.NewID(testTime, 1, 1).String(), "/sagas/no-uuid/act/cancel"} {
		status, html := b.page(t, path, nil)
		require.Equal(t, http.StatusNotFound, status, path)
		require.True(t, strings.Contains(html, "<main"), path)
	}
}

// form posts a form as a browser does.
func (b *testBundle) form(t *testing.T, path string, header map[string]string, values url.Values) (int, string) {
	t.Helper()
	h := map[string]string{"Accept": "text/html", "Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin"}
	for k, v := range header {
		h[k] = v
	}
	w := b.do(t, exchange{method: http.MethodPost, path: path, header: h, body: values.Encode()})
	return w.Code, w.Body.String()
}

func TestSagaPage_ActsOnTheRevisionThatWasRehearsed(t *testing.T) {
	t.Parallel()
	b := setup(t, authenticated)
	path := "/sagas/" + b.engine.started.ID.String() + "/act/complete"
	values := url.Values{"step": {"charge-payment"}, "revision": {"2"}, "reason": {"seen in the bank's books"}, "output": {`{"payment_id":"p"}`}, "once": {"form-7"}}
	status, _ := b.form(t, path, bearer(RoleSupervisor), values)
	require.Equal(t, http.StatusSeeOther, status)
	did := b.engine.lastAct(t)
	require.EqualValues(t, 2, did.IfRevision)
	require.Equal(t, "form-7", did.IdempotencyKey)
	require.Equal(t, saga.ActionComplete, did.Act.Action)
	require.JSONEq(t, `{"payment_id":"p"}`, string(did.Act.Output))
	require.Equal(t, "seen in the bank's books", did.Act.Reason)

	count := len(b.engine.acts)
	for role, header := range map[Role]map[string]string{RoleViewer: bearer(RoleViewer), RoleOperator: bearer(RoleOperator)} {
		status, _ = b.form(t, path, header, values)
		require.Equal(t, http.StatusForbidden, status, "a %s's word does not count", role)
	}
	header := bearer(RoleSupervisor)
	header["Sec-Fetch-Site"] = "cross-site"
	status, _ = b.form(t, path, header, values)
	require.Equal(t, http.StatusForbidden, status, "another site's form")
	require.Len(t, b.engine.acts, count)
}

func TestSagaPage_TenThousandFactsWithinHalfASecond(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.engine.reader.mu.Lock()
	in := &b.engine.reader.view.Instance
	for in.Seq < 10_000 {
		in.Seq++
		kind := []saga.FactType{saga.StepSent, saga.StepBackedOff}[in.Seq%2]
		b.engine.reader.facts = append(b.engine.reader.facts, orchestrator.HistoryEntry{Fact: saga.Fact{
			Seq: in.Seq, At: testTime.Add(time.Duration(in.Seq) * time.Second), Type: kind, Step: "charge-payment", Verb: saga.Execute,
			Attempt: int(in.Seq / 2), Code: "busy", Message: fmt.Sprintf("no. %d", in.Seq), Payload: []byte(testInput),
		}})
	}
	id := in.ID.String()
	b.engine.reader.mu.Unlock()
	best := time.Hour
	for range 3 { // the least of a few: others use the machine too
		began := time.Now()
		status, html := b.page(t, "/sagas/"+id, nil)
		best = min(best, time.Since(began))
		require.Equal(t, http.StatusOK, status)
		require.True(t, strings.Contains(html, "10\u202f000 facts"))
	}
	require.Less(t, best, 500*time.Millisecond)
	status, html := b.page(t, "/sagas/"+id+"?before=5001", nil)
	require.Equal(t, http.StatusOK, status)
	require.True(t, strings.Contains(html, `<tr id="fact-5000"`) && strings.Contains(html, `<tr id="fact-4951"`))
	require.False(t, strings.Contains(html, `<tr id="fact-4950"`))
}
