package api

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

func scrape(t *testing.T, m *Metrics) string {
	t.Helper()
	w := httptest.NewRecorder()
	AdminHandler(m).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	require.Equal(t, http.StatusOK, w.Code)
	return w.Body.String()
}

func TestMetrics_CountWhatTheEngineAndTheAPIDo(t *testing.T) {
	t.Parallel()
	m := NewMetrics()
	b := setup(t, func(c *Config) { c.Metrics = m })
	m.WatchStore(b.engine.reader, []string{"default"}, b.api.log)
	o := Observers(nil, b.hub, m)
	o.Committed(orchestrator.BatchStats{
		Events: 5, Facts: 9, Ignored: 1, Quarantined: 1, Took: time.Millisecond,
		Raised: []saga.AttentionReason{saga.AttentionSlow, saga.AttentionSlow}, Suspended: 1, Residue: 2,
	},
		[]saga.Instance{{Status: saga.Running}, {Status: saga.Running}, {Status: saga.Completed}})
	o.Published(10, 2, 1, time.Millisecond)
	o.Refused("too many requests wait")
	b.do(t, exchange{method: "GET", path: "/v1/stats"})
	b.do(t, exchange{method: "BREW", path: "/v1/stats"})
	text := scrape(t, m)
	for _, line := range []string{
		`skald_events_total{outcome="applied"} 3`, `skald_events_total{outcome="quarantined"} 1`, `skald_facts_total 9`,
		`skald_saga_changes_total{status="running"} 2`, `skald_published_records_total{outcome="acked"} 7`, `skald_published_records_total{outcome="unknown"} 2`,
		`skald_refused_total{reason="too many requests wait"} 1`, `skald_http_requests_total{method="GET",route="/v1/stats",status="200"} 1`,
		`skald_http_requests_total{method="other",route="none",status="405"} 1`, `skald_batch_events_sum 5`, `skald_sagas{status="running",tenant="default"} 1`,
		`skald_sagas_blocked{cause="reply",tenant="default"} 1`, `skald_outbox_rows 3`, `skald_outbox_age_seconds 4.5`, `skald_saga_overdue_seconds 90`, `go_goroutines`,
		`skald_attention_raised_total{reason="slow"} 2`, `skald_sagas_suspended_total 1`, `skald_sagas_residue_total 2`,
		`skald_webhook_notices_total{outcome="given_up"} 0`,
	} {
		require.Contains(t, text, line)
	}
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	require.NoError(t, err)
	require.Empty(t, problems)
}

func TestMetrics_GaugesThatCannotBeReadAreLeftOut(t *testing.T) {
	t.Parallel()
	m := NewMetrics()
	b := setup(t)
	b.engine.reader.err = context.DeadlineExceeded
	m.WatchStore(b.engine.reader, []string{"default"}, b.api.log)
	text := scrape(t, m)
	require.NotContains(t, text, "skald_sagas{")
	require.Contains(t, text, "skald_facts_total 0")
	require.Contains(t, b.logs.String(), "live sagas not counted")
}

func TestAdmin_RefusesPages(t *testing.T) {
	t.Parallel()
	h := AdminHandler(NewMetrics())
	for header, value := range map[string]string{"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"} {
		r := httptest.NewRequest(http.MethodGet, "/debug/pprof/cmdline", nil)
		r.Header.Set(header, value)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		require.Equal(t, http.StatusForbidden, w.Code)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/debug/pprof/goroutine?debug=1", nil))
	require.Equal(t, http.StatusOK, w.Code)
	require.Contains(t, w.Body.String(), "goroutine profile")
	b := setup(t)
	problemIn(t, b.do(t, exchange{method: "GET", path: "/metrics"}), 404, "unknown_route")
	problemIn(t, b.do(t, exchange{method: "GET", path: "/debug/pprof/"}), 404, "unknown_route")
}

func TestServeAdmin_EndsWithItsContext(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- ServeAdmin(ctx, listener, AdminHandler(NewMetrics()), setup(t).api.log) }()
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := (&http.Client{Transport: transport}).Get("http://" + listener.Addr().String() + "/metrics")
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	cancel()
	require.NoError(t, <-ended)
}

func TestServe_HasLimits(t *testing.T) {
	t.Parallel()
	s := NewServer(http.NotFoundHandler(), setup(t).api.log)
	require.LessOrEqual(t, s.ReadHeaderTimeout, 5*time.Second)
	require.NotZero(t, s.ReadTimeout)
	require.NotZero(t, s.WriteTimeout)
	require.NotZero(t, s.IdleTimeout)
	require.Equal(t, 16<<10, s.MaxHeaderBytes)
}

func TestServe_FailsWithItsListener(t *testing.T) {
	t.Parallel()
	b := setup(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	require.ErrorContains(t, b.api.Serve(t.Context(), listener), "serve on")
}

func TestNew_NeedsEngineAndHub(t *testing.T) {
	t.Parallel()
	_, err := New(Config{Hub: NewHub()})
	require.Error(t, err)
	_, err = New(Config{Engine: newFake(t)})
	require.Error(t, err)
}

func TestHub_TellsOnlyWatchersAndOnlyNews(t *testing.T) {
	t.Parallel()
	h := NewHub()
	id, other := saga.NewID(testTime, 1, 1), saga.NewID(testTime, 1, 2)
	tell := func(id saga.ID, revision int64) {
		h.Committed(orchestrator.BatchStats{}, []saga.Instance{{ID: id, Revision: revision, Status: saga.Running}})
	}
	tell(id, 1) // nobody watches
	a, b := h.watch(id, change{revision: 1}), h.watch(id, change{revision: 3})
	tell(other, 9)
	tell(id, 2)
	require.Len(t, a.wake, 1)
	require.Empty(t, b.wake, "it has seen more already")
	tell(id, 4)
	tell(id, 3) // late
	require.Len(t, a.wake, 1, "one token, however much came")
	require.Equal(t, int64(4), a.seen().revision)
	require.Len(t, b.wake, 1)
	a.close()
	a.close()
	b.close()
	require.Zero(t, h.watched.Load())
	require.Empty(t, h.byID)
}
