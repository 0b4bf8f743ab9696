package dashboard

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/api/dashboard/ui"
)

// pageBytes is what the own assets of one page may take, packed.
const pageBytes = 150_000

// stub answers some of what a Backend is asked; the rest panics.
type stub struct {
	Backend
	sagas client.SagaList
	err   error
	asked client.SagaFilter
}

func (*stub) Viewer(context.Context) Viewer {
	return Viewer{Name: "ann", Tenant: "default", May: func(string) bool { return true }}
}

func (s *stub) Sagas(_ context.Context, f client.SagaFilter) (client.SagaList, error) {
	s.asked = f
	return s.sagas, s.err
}

func (s *stub) Definitions(context.Context, string) (client.DefinitionList, error) {
	return client.DefinitionList{Items: []client.Definition{{Name: "trip", Version: 2}, {Name: "trip", Version: 1}}}, nil
}

func setup(t *testing.T, s *stub) *Dashboard {
	t.Helper()
	d, err := New(Config{
		Backend: s, Count: func(context.Context, string) (client.Stats, error) { return client.Stats{}, nil },
		Now: func() time.Time { return time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC) }, Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	return d
}

func show(t *testing.T, page func(http.ResponseWriter, *http.Request) error, target string) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	require.NoError(t, page(w, httptest.NewRequest(http.MethodGet, target, nil)))
	return w
}

func TestPages_AreLight(t *testing.T) {
	t.Parallel()
	d := setup(t, &stub{})
	var b bytes.Buffer
	page := d.page(httptest.NewRequest(http.MethodGet, "/", nil), ui.Sagas, "x")
	for _, f := range sagaAssets() { // the page with the most of them
		page.Styles = append(page.Styles, f.Name)
	}
	require.NoError(t, ui.Layout(page).Render(t.Context(), &b))
	total := 0
	urls := regexp.MustCompile(`(?:src|href)="(/assets/[^"]+)"`).FindAllStringSubmatch(b.String(), -1)
	require.GreaterOrEqual(t, len(urls), 6)
	for _, u := range urls {
		size := d.assets.Size(u[1])
		require.Positive(t, size, "%s is not served", u[1])
		total += size
	}
	require.Less(t, total, pageBytes, "the own assets of a page, packed")
}

func TestSagas_FiltersStandInTheURL(t *testing.T) {
	t.Parallel()
	count := int64(1234)
	s := &stub{sagas: client.SagaList{NextCursor: "abc&d", Count: &count, Items: []client.Saga{
		{ID: "01a1ffb8-4cf5-746f-bc08-4990679c67aa", Key: `<script>"x"`, Saga: "trip", Version: 1, Status: client.Running, Attention: []client.Attention{{Reason: "undo_failed", Step: "pay"}}},
	}}}
	html := show(t, setup(t, s).sagas, "/sagas?saga=trip&status=running,suspended&blocked_on=hold&blocked_on=x&label=shop:berlin&key=+A-1+&created_after=2026-11-21T10:00").Body.String()
	require.Equal(t, client.SagaFilter{
		Saga: "trip", Status: []client.Status{"running", "suspended"}, BlockedOn: "hold", Labels: map[string]string{"shop": "berlin"}, Key: "A-1",
		CreatedAfter: time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC), Limit: pageRows, Count: true,
	}, s.asked)
	require.Contains(t, html, "1\u202f234 sagas")
	require.Contains(t, html, "&lt;script&gt;&#34;x&#34;")
	require.Contains(t, html, "undo refused")
	require.Contains(t, html, "cursor=abc%26d", "the next page keeps its cursor whole")
	require.Contains(t, html, "created_after=2026-11-21T10%3A00", "the next page keeps the filter")
}

func TestFail_SaysWhatToDoNext(t *testing.T) {
	t.Parallel()
	d := setup(t, &stub{err: &client.Error{Problem: client.Problem{Status: 503, Title: "Service Unavailable", Code: "timeout", Detail: "it took too long", Retryable: true}}})
	w := httptest.NewRecorder()
	d.handle(ui.Sagas, d.sagas).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/sagas", nil))
	require.Equal(t, http.StatusServiceUnavailable, w.Code)
	require.Contains(t, w.Body.String(), "Try again in a moment.")

	d = setup(t, &stub{err: errors.New("secret")})
	w = httptest.NewRecorder()
	d.handle(ui.Sagas, d.sagas).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/sagas", nil))
	require.Equal(t, http.StatusInternalServerError, w.Code)
	require.NotContains(t, w.Body.String(), "secret")
}

func TestForms_AreBounded(t *testing.T) {
	t.Parallel()
	page := limitForm(func(http.ResponseWriter, *http.Request) error { return nil })
	r := httptest.NewRequest(http.MethodPost, "/x", strings.NewReader("a="+strings.Repeat("x", formBytes)))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	var refused *client.Error
	require.ErrorAs(t, page(httptest.NewRecorder(), r), &refused)
	require.Equal(t, http.StatusRequestEntityTooLarge, refused.Status)
}

func TestWith_ChangesAQueryAndDropsTheCursor(t *testing.T) {
	t.Parallel()
	q := url.Values{"saga": {"trip"}, "cursor": {"c"}, "status": {"running"}}
	require.Equal(t, "/sagas?saga=trip&status=suspended", with("/sagas", q, "status", "suspended"))
	require.Equal(t, "/sagas?saga=trip", with("/sagas", q, "status", ""))
	require.Equal(t, "/sagas", with("/sagas", nil))
	require.Equal(t, "c", q.Get("cursor"), "what was given stays as it was")
}

// TestSeries_KeepsAnHour: the charts are bounded, and a replica that cannot count says so in its log and goes on.
func TestSeries_KeepsAnHour(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := int64(0)
		s := newSeries(func(context.Context, string) (client.Stats, error) {
			n++
			if n == 2 {
				return client.Stats{}, errors.New("away")
			}
			return client.Stats{Live: n, WithAttention: n}, nil
		}, nil)
		require.Equal(t, int64(-1), s.alarms("default"), "not known yet")
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Hour)
		defer cancel()
		var log bytes.Buffer
		require.ErrorIs(t, s.run(ctx, slog.New(slog.NewTextHandler(&log, nil))), context.DeadlineExceeded)
		kept := s.of("default")
		require.Len(t, kept, samplesKept)
		require.LessOrEqual(t, kept[len(kept)-1].at.Sub(kept[0].at), time.Hour)
		require.Equal(t, n, s.alarms("default"))
		require.Contains(t, log.String(), "the charts have a hole")
		for i := range 2 * tenantsShown {
			s.of("t" + itoa(i))
		}
		require.Len(t, s.known(), tenantsShown, "tenants that look are bounded")
	})
}

func TestDiffLines(t *testing.T) {
	t.Parallel()
	split := func(s string) []string { return strings.Split(s, "") }
	var got strings.Builder
	for _, l := range diffLines(split("abcdefghijklmnop"), split("abcdefXhijklmnopq")) {
		got.WriteString(l.sign + l.text)
	}
	require.Equal(t, "… d e f-g+X h i j… n o p+q", got.String())
	require.Equal(t, []diffLine{{sign: "…"}}, diffLines([]string{"a"}, []string{"a"}), "the same")
}

const tripInput = `{"type":"object","required":["order_id","amount","items"],"properties":{
	"order_id":{"type":"string"},"amount":{"type":"integer","minimum":0},"note":{"type":"string"},"kind":{"enum":["a",2]},"gift":{"type":"boolean"},
	"ship":{"type":"object","properties":{"city":{"type":"string"}}},"extra":{},
	"items":{"type":"array","minItems":1,"items":{"type":"object","required":["sku"],"properties":{"sku":{"type":"string"},"n":{"type":"integer"}}}},
	"tags":{"type":"array","items":{"type":"string"}}}}`

func TestInputForm_MakesTheInput(t *testing.T) {
	t.Parallel()
	sent := url.Values{
		"input.order_id": {"A-1"}, "input.amount": {"12345678901234567890"}, "input.kind": {"2"}, "input.gift": {"true"}, "input.ship.city": {"Kiel"},
		"input.extra": {`{"a":[1.50]}`}, "input.items.0.sku": {"s1"}, "input.items.2.sku": {"s3"}, "input.items.2.n": {"2"}, "input.tags.1": {"red"},
	}
	fields := inputForm(json.RawMessage(tripInput), sent)
	require.Equal(t, "order_id", fields[0].Label, "what is required comes first, as the schema lists it")
	require.JSONEq(t, `{"order_id":"A-1","amount":12345678901234567890,"kind":2,"gift":true,"ship":{"city":"Kiel"},"extra":{"a":[1.50]},
		"items":[{"sku":"s1"},{"sku":"s3","n":2}],"tags":["red"]}`, string(inputOf(fields)))
	require.Contains(t, string(inputOf(fields)), "12345678901234567890", "numbers stay as they were written")

	empty := inputOf(inputForm(json.RawMessage(tripInput), url.Values{}))
	require.JSONEq(t, `{"order_id":"","items":[]}`, string(empty), "what is not given is left out, for the schema to miss it")
	require.Nil(t, inputForm(json.RawMessage(`{"type":"string"}`), nil), "no object: asked for as JSON")
	require.Nil(t, inputForm(nil, nil))
}

func TestBlame_PutsProblemsBesideTheirFields(t *testing.T) {
	t.Parallel()
	fields := inputForm(json.RawMessage(tripInput), url.Values{})
	rest := blame(fields, map[string]string{"input.amount": "want an integer", "input.items.0.sku": "missing", "key": "taken"})
	require.Equal(t, []string{"key: taken"}, rest)
	require.Equal(t, "want an integer", fields[1].Wrong)
	require.Equal(t, "missing", fields[2].Rows[0][1].Wrong+fields[2].Rows[0][0].Wrong)
}

func TestChart_BreaksAtAHole(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	at := func(ago time.Duration, v float64) point { return point{now.Add(-ago), v} }
	samples := []sample{{at: now.Add(-7 * time.Minute)}}
	c := newChart(now, samples, []line{{"x", ui.Good, []point{at(7*time.Minute, 1), at(6*time.Minute+45*time.Second, 2), at(time.Minute, 30)}}})
	require.Equal(t, 40.0, c.top)
	require.Equal(t, "8 min ago", c.axis()[0])
	require.Equal(t, 2, strings.Count(c.path(&c.lines[0]), "M"), "no line is drawn over a time that was not counted")
	require.Equal(t, "chart, now: x 30", c.words("chart"))
	require.Equal(t, 4.0, newChart(now, nil, nil).top)
}
