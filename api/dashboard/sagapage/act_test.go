package sagapage

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/a-h/templ"
	"github.com/go-chi/chi/v5"
	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/api/dashboard/ui"
)

// site is the pages over a saga that stands still until a test moves it.
type site struct {
	*scene
	rehearsal func(Wish) (Rehearsal, error)
	act       func(Wish, int64) error
	acted     []Wish
	keys      []string
	last      error // of a handler
}

func (s *site) Look(context.Context, string, int) (Look, error) { return s.scene.Look, nil }

func (s *site) Facts(_ context.Context, _ string, before int64, limit int) ([]client.Fact, error) {
	facts := s.scene.Facts[:min(int64(len(s.scene.Facts)), before-1)]
	return facts[max(0, len(facts)-limit):], nil
}

func (s *site) RehearseWish(_ context.Context, _ string, wish Wish) (Rehearsal, error) {
	return s.rehearsal(wish)
}

func (s *site) ActOnWish(_ context.Context, _ string, wish Wish, revision int64, key string) (client.Acted, error) {
	s.acted, s.keys = append(s.acted, wish), append(s.keys, key)
	return client.Acted{}, s.act(wish, revision)
}

func (s *site) Definitions(context.Context, string) (client.DefinitionList, error) {
	return client.DefinitionList{Items: []client.Definition{{Version: 1}, {Version: 2}, {Version: 3}}}, nil
}

// problem is an error as the API answers it.
func problem(status int, code, detail string) error {
	return &client.Error{Problem: client.Problem{Status: status, Code: code, Detail: detail}}
}

func newSite(t *testing.T, sc *scene) (*site, http.Handler) {
	t.Helper()
	s := &site{scene: sc, act: func(Wish, int64) error { return nil }}
	s.rehearsal = func(w Wish) (Rehearsal, error) { return rehearse(sc, w), nil }
	pages := New(s, Frame{
		Page: func(_ *http.Request, title string) ui.Page { return frame(title) },
		Write: func(w http.ResponseWriter, r *http.Request, status int, page templ.Component) {
			w.WriteHeader(status)
			s.last = page.Render(r.Context(), w)
		},
		Now: func() time.Time { return sc.Now }, Once: func() string { return "form-1" },
	})
	mux := chi.NewMux()
	handle := func(page func(http.ResponseWriter, *http.Request) error) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			_ = r.ParseForm()
			if s.last = page(w, r); s.last != nil {
				w.WriteHeader(http.StatusTeapot)
			}
		}
	}
	mux.Get("/sagas/{id}", handle(pages.Show))
	mux.Get("/sagas/{id}/act/{action}", handle(pages.Form))
	mux.Post("/sagas/{id}/act/{action}", handle(pages.Act))
	return s, mux
}

// rehearse is what retrying the refund of undoFailed would come to, or, of another wish, the end of the saga.
func rehearse(sc *scene, w Wish) Rehearsal {
	next := sc.Saga
	next.Steps = append([]client.Step(nil), sc.Saga.Steps...)
	p := client.Preview{Changed: true, Why: "charge-payment is asked to be undone again."}
	if w.Action == client.ActionRetry {
		next.Status = client.Compensating
		next.Steps[1].Status, next.Steps[1].Error = "undoing", nil
		p.Commands = []client.Command{{Step: "charge-payment", Participant: "payments", Command: "RefundPayment.v1", Verb: "compensate", Edition: 1, Attempt: 1, Payload: json.RawMessage(`{"id":"x"}`)}}
		p.Facts = []client.Fact{{Type: "undo.started", Step: "charge-payment", Verb: "compensate", Wish: w.Reason, By: "ann"}}
	} else {
		next.Status = client.Abandoned
		next.Certificate = &client.Certificate{Verdict: "residue"}
		p.Why, p.Facts = "The saga is abandoned; what is left is accepted.", []client.Fact{{Type: "saga.abandoned", Wish: w.Reason}}
	}
	p.Next = next
	return Rehearsal{Preview: p, Revision: sc.Saga.Revision}
}

func ask(t *testing.T, h http.Handler, method, target string, form url.Values) (int, string, http.Header) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	body, err := io.ReadAll(w.Result().Body)
	require.NoError(t, err)
	return w.Code, string(body), w.Header()
}

func confirmed() url.Values {
	return url.Values{"step": {"charge-payment"}, "revision": {"11"}, "seen": {"10"}, "once": {"form-9"}, "reason": {"the account is open again"}}
}

func TestForm_ShowsWhatWillHappen(t *testing.T) {
	t.Parallel()
	s, h := newSite(t, undoFailed())
	status, body, _ := ask(t, h, http.MethodGet, "/sagas/x/act/retry?step=charge-payment", nil)
	require.NoError(t, s.last)
	require.Equal(t, http.StatusOK, status)
	golden(t, "act-retry", lines(body))
	require.Contains(t, body, "RefundPayment.v1")
	require.Contains(t, body, `name="revision" value="11"`)
	require.NotContains(t, body, rehearsing, "the reason that stands in for one is nobody's business")
	require.Empty(t, s.acted, "nothing is done")
	if *pages != "" {
		require.NoError(t, s.last)
		f := newForm(&s.scene.Look, Wish{Action: client.ActionRetry, Step: "charge-payment"})
		r := rehearse(s.scene, f.Wish)
		f.rehearsed(&r)
		writePage(t, "act-retry", actPage(frame("Retry"), f))
	}
}

func TestForm_SaysWhyItWouldBeRefused(t *testing.T) {
	t.Parallel()
	s, h := newSite(t, undoFailed())
	s.rehearsal = func(Wish) (Rehearsal, error) {
		return Rehearsal{}, problem(http.StatusConflict, "wrong_status", "charge-payment is undo_failed")
	}
	status, body, _ := ask(t, h, http.MethodGet, "/sagas/x/act/skip?step=charge-payment", nil)
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, body, "Charge-payment is undo_failed")
	require.Contains(t, body, "/act/waive?step=charge-payment", "what is possible instead is offered")
	require.NotContains(t, body, `name="reason"`, "there is nothing to confirm")
}

func TestForm_UnknownActionIsNotFound(t *testing.T) {
	t.Parallel()
	s, h := newSite(t, undoFailed())
	ask(t, h, http.MethodGet, "/sagas/x/act/explode", nil)
	var known *client.Error
	require.ErrorAs(t, s.last, &known)
	require.Equal(t, http.StatusNotFound, known.Status)
}

func TestForm_RebindOffersTheOtherVersions(t *testing.T) {
	t.Parallel()
	_, h := newSite(t, undoFailed())
	_, body, _ := ask(t, h, http.MethodGet, "/sagas/x/act/rebind", nil)
	require.Contains(t, body, `<option value="3">`)
	require.NotContains(t, body, `<option value="1"`, "it runs on that one")
}

func TestAct_DoesWhatWasRehearsed(t *testing.T) {
	t.Parallel()
	s, h := newSite(t, undoFailed())
	s.act = func(_ Wish, revision int64) error {
		require.EqualValues(t, 11, revision)
		return nil
	}
	status, _, header := ask(t, h, http.MethodPost, "/sagas/x/act/retry", confirmed())
	require.Equal(t, http.StatusSeeOther, status)
	require.Equal(t, "/sagas/x", header.Get("Location"))
	require.Equal(t, []Wish{{Action: client.ActionRetry, Step: "charge-payment", Reason: "the account is open again"}}, s.acted)
	require.Equal(t, []string{"form-9"}, s.keys, "sending the form twice does it once")
}

func TestAct_DoesNothingWhereTheSagaHasMoved(t *testing.T) {
	t.Parallel()
	s, h := newSite(t, undoFailed())
	s.act = func(Wish, int64) error { return problem(http.StatusPreconditionFailed, "revision", "another revision") }
	form := confirmed()
	form.Set("seen", "8")
	status, body, _ := ask(t, h, http.MethodPost, "/sagas/x/act/retry", form)
	require.NoError(t, s.last)
	require.Equal(t, http.StatusPreconditionFailed, status)
	require.Contains(t, body, "Nothing was done")
	require.Contains(t, body, "everything is undone: reserve-items was refused", "what has happened since is told")
	require.Contains(t, body, "RefundPayment.v1", "and what the same would do now")
	require.Contains(t, body, `value="the account is open again"`, "what was written stays")
	require.NotContains(t, body, `value="form-9"`, "another key: this is another act")
}

func TestAct_WantsAReason(t *testing.T) {
	t.Parallel()
	s, h := newSite(t, undoFailed())
	form := confirmed()
	form.Set("reason", "  ")
	status, body, _ := ask(t, h, http.MethodPost, "/sagas/x/act/retry", form)
	require.Equal(t, http.StatusUnprocessableEntity, status)
	require.Contains(t, body, "Say why")
	require.Empty(t, s.acted)
}

func TestAct_WantsARevision(t *testing.T) {
	t.Parallel()
	s, h := newSite(t, undoFailed())
	form := confirmed()
	form.Set("revision", "0")
	ask(t, h, http.MethodPost, "/sagas/x/act/retry", form)
	require.ErrorContains(t, s.last, "revision", "what was never rehearsed is never done")
	require.Empty(t, s.acted)
}

func TestAct_LeavesWhatIsNotItsBusinessToTheFrame(t *testing.T) {
	t.Parallel()
	for _, err := range []error{problem(http.StatusForbidden, "forbidden", "vouch"), problem(http.StatusServiceUnavailable, "stopping", "stopping"), errors.New("other")} {
		s, h := newSite(t, undoFailed())
		s.act = func(Wish, int64) error { return err }
		ask(t, h, http.MethodPost, "/sagas/x/act/retry", confirmed())
		require.ErrorIs(t, s.last, err)
	}
}

func TestShow_PagesTheHistory(t *testing.T) {
	t.Parallel()
	sc := backingOff()
	for i := range 300 {
		sc.fact(4000+10*i, client.Fact{Type: "step.sent", Step: "charge-payment", Attempt: i + 4})
	}
	s, h := newSite(t, sc)
	_, body, _ := ask(t, h, http.MethodGet, "/sagas/x", nil)
	require.NoError(t, s.last)
	require.Equal(t, historyRows, strings.Count(body, `<tr id="fact-`))
	require.True(t, strings.Contains(body, "?before=260#history"), "the next page ends where this one begins")
	_, body, _ = ask(t, h, http.MethodGet, "/sagas/x?before=20", nil)
	require.True(t, strings.Contains(body, `<tr id="fact-19"`) && strings.Contains(body, `<tr id="fact-1"`))
	require.False(t, strings.Contains(body, `<tr id="fact-20"`))
	require.False(t, strings.Contains(body, "?before=1#"), "there is nothing older")
}
