package api

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

func startBodyOf(input string) string { return `{"saga":"order-placement","input":` + input + `}` }

func TestStart_Answers202WithLocation(t *testing.T) {
	t.Parallel()
	b := setup(t)
	w := b.do(t, exchange{
		method: "POST", path: "/v1/sagas", header: map[string]string{"Idempotency-Key": "k1", "X-Request-Id": "req-1"},
		body: `{"saga":"order-placement","version":1,"key":"A-1001","labels":{"a":"b"},"reuse":"allow","input":{"n":1e400, "m": 1.10}}`,
	})
	got := answerIn[client.Started](t, w, http.StatusAccepted)
	require.Equal(t, b.engine.started.ID.String(), got.ID)
	require.Equal(t, "/v1/sagas/"+got.ID, w.Header().Get("Location"))
	require.Empty(t, w.Header().Get("Idempotency-Replayed"))
	req := b.engine.lastStart(t)
	require.Equal(t, `{"n":1e400, "m": 1.10}`, string(req.Input), "S22: the bytes are what was sent")
	req.Input = nil
	require.Equal(t, orchestrator.StartRequest{
		Tenant: "default", Saga: "order-placement", Version: 1, Key: "A-1001", Labels: map[string]string{"a": "b"},
		Reuse: orchestrator.ReuseAllow, By: "anonymous", RequestID: "req-1", IdempotencyKey: "k1",
	}, req)
}

func TestStart_ReplayAndExisting(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.engine.started.Replayed = true
	w := b.do(t, exchange{method: "POST", path: "/v1/sagas", body: startBodyOf("{}")})
	answerIn[client.Started](t, w, http.StatusAccepted)
	require.Equal(t, "true", w.Header().Get("Idempotency-Replayed"))

	b.engine.started.Replayed, b.engine.started.Existing = false, true
	w = b.do(t, exchange{method: "POST", path: "/v1/sagas?wait=10s", body: startBodyOf("{}")})
	got := answerIn[client.Saga](t, w, http.StatusOK)
	require.Equal(t, "order-placement", got.Saga, "200 with the saga that the key has, without a wait")
}

func TestStart_WaitEndsWithTheSaga(t *testing.T) {
	t.Parallel()
	b := setup(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		w := b.do(t, exchange{method: "POST", path: "/v1/sagas?wait=60s", body: startBodyOf("{}")})
		got := answerIn[client.Saga](t, w, http.StatusOK)
		require.Equal(t, client.Completed, got.Status)
		require.JSONEq(t, `{"order_id":"A-1001","shipment_id":"s1"}`, string(got.Output))
		require.Equal(t, client.ETag(got.Revision), w.Header().Get("ETag"))
	}()
	require.Eventually(t, func() bool { return b.hub.watched.Load() == 1 }, 10*time.Second, time.Millisecond)
	in := b.engine.finish(t)
	b.hub.Committed(orchestrator.BatchStats{}, []saga.Instance{in})
	<-done
}

func TestStart_WaitLearnsFromTheLookOfAnotherReplicasEnd(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.engine.finish(t) // no hint comes
	done := make(chan struct{})
	go func() {
		defer close(done)
		w := b.do(t, exchange{method: "POST", path: "/v1/sagas?wait=60", body: startBodyOf("{}")})
		require.Equal(t, client.Completed, answerIn[client.Saga](t, w, http.StatusOK).Status)
	}()
	require.Eventually(t, func() bool { return b.hub.watched.Load() == 1 }, 10*time.Second, time.Millisecond)
	require.NoError(t, b.hub.look(t.Context(), b.engine.reader))
	<-done
}

func TestStart_WaitThatIsOverAnswers202(t *testing.T) {
	t.Parallel()
	b := setup(t)
	w := b.do(t, exchange{method: "POST", path: "/v1/sagas?wait=1ms", body: startBodyOf("{}")})
	require.Equal(t, client.Running, answerIn[client.Started](t, w, http.StatusAccepted).Status)
	require.Zero(t, b.hub.watched.Load())
}

func TestStart_WaitEndsOnShutdown(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.api.streams.end()
	w := b.do(t, exchange{method: "POST", path: "/v1/sagas?wait=60s", body: startBodyOf("{}")})
	require.Equal(t, http.StatusAccepted, w.Code)
}

func TestStart_SaysEverythingThatIsWrong(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		body, query, contentType string
		status                   int
		code                     string
		paths                    []string
	}{
		"NoBody":          {status: 400, code: "unreadable"},
		"NoJSON":          {body: `{"saga":`, status: 400, code: "unreadable"},
		"TextAfter":       {body: `{"saga":"a"} {}`, status: 400, code: "unreadable"},
		"TooDeep":         {body: startBodyOf(strings.Repeat("[", 70) + strings.Repeat("]", 70)), status: 400, code: "unreadable"},
		"NoContentType":   {body: startBodyOf("{}"), contentType: "none", status: 415, code: "unsupported_media_type"},
		"Form":            {body: startBodyOf("{}"), contentType: "application/x-www-form-urlencoded", status: 415, code: "unsupported_media_type"},
		"PlainText":       {body: startBodyOf("{}"), contentType: "text/plain", status: 415, code: "unsupported_media_type"},
		"OtherCharset":    {body: startBodyOf("{}"), contentType: "application/json; charset=latin1", status: 415, code: "unsupported_media_type"},
		"LargeInput":      {body: startBodyOf(`"` + strings.Repeat("x", 256<<10) + `"`), status: 413, code: "too_large"},
		"LargeBody":       {body: startBodyOf("{}") + strings.Repeat(" ", 400<<10), status: 413, code: "too_large"},
		"Array":           {body: `[]`, status: 422, code: "invalid", paths: []string{"body"}},
		"NoSaga":          {body: `{}`, status: 422, code: "invalid", paths: []string{"body"}},
		"UnknownField":    {body: `{"saga":"a","inputs":{}}`, status: 422, code: "invalid", paths: []string{"body.inputs"}},
		"ManyWrong":       {body: `{"saga":"No Name","version":"1","labels":{"a":1},"reuse":"often","x":0}`, status: 422, code: "invalid", paths: []string{"body.saga", "body.version", "body.labels.a", "body.reuse", "body.x"}},
		"NegativeVersion": {body: `{"saga":"a","version":-1}`, status: 422, code: "invalid", paths: []string{"body.version"}},
		"BadLink":         {body: `{"saga":"a","link":"7"}`, status: 422, code: "invalid", paths: []string{"body.link"}},
		"LongWait":        {body: startBodyOf("{}"), query: "?wait=61s", status: 422, code: "invalid", paths: []string{"query.wait"}},
		"BadWait":         {body: startBodyOf("{}"), query: "?wait=soon", status: 422, code: "invalid", paths: []string{"query.wait"}},
		"NegativeWait":    {body: startBodyOf("{}"), query: "?wait=-1s", status: 422, code: "invalid", paths: []string{"query.wait"}},
		"UnknownQuery":    {body: startBodyOf("{}"), query: "?wate=1s", status: 422, code: "invalid", paths: []string{"query.wate"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			e := exchange{method: "POST", path: "/v1/sagas" + c.query, body: c.body, header: map[string]string{}}
			if c.contentType == "none" {
				e.header["Content-Type"] = ""
			} else if c.contentType != "" {
				e.header["Content-Type"] = c.contentType
			}
			p := problemIn(t, b.do(t, e), c.status, c.code)
			require.False(t, p.Retryable)
			require.ElementsMatch(t, c.paths, paths(p))
			require.Empty(t, b.engine.starts, "nothing reached the engine")
		})
	}
}

func TestStart_LongIdempotencyKeyIsRefused(t *testing.T) {
	t.Parallel()
	w := setup(t).do(t, exchange{method: "POST", path: "/v1/sagas", body: startBodyOf("{}"), header: map[string]string{"Idempotency-Key": strings.Repeat("k", 256)}})
	require.Equal(t, []string{"header.Idempotency-Key"}, paths(problemIn(t, w, 422, "invalid")))
}

func TestStart_LargestInputPasses(t *testing.T) {
	t.Parallel()
	b := setup(t)
	input := `"` + strings.Repeat("x", saga.MaxInputBytes-2) + `"`
	w := b.do(t, exchange{method: "POST", path: "/v1/sagas", body: startBodyOf(input)})
	require.Equal(t, http.StatusAccepted, w.Code)
	require.Len(t, b.engine.lastStart(t).Input, saga.MaxInputBytes)
}

func TestProblems_OfTheEngine(t *testing.T) {
	t.Parallel()
	id := saga.NewID(testTime, 1, 1)
	cases := map[string]struct {
		err    error
		status int
		code   string
		check  func(t *testing.T, p client.Problem, h http.Header)
	}{
		"UnknownSaga": {err: fmt.Errorf("x: %w", orchestrator.ErrUnknownSagaType), status: 404, code: "unknown_saga"},
		"Input": {
			err:    &orchestrator.InputError{Message: "the input does not fit", Fields: []orchestrator.FieldError{{Path: "input/a", Message: "is wrong"}, {Path: "key", Message: "too"}}},
			status: 422, code: "invalid", check: func(t *testing.T, p client.Problem, _ http.Header) {
				require.Equal(t, []client.FieldError{{Path: "body.input/a", Message: "is wrong"}, {Path: "body.key", Message: "too"}}, p.Errors)
			},
		},
		"TooLarge": {err: &orchestrator.TooLargeError{Limit: 5}, status: 413, code: "too_large"},
		"KeyInUse": {
			err: &orchestrator.KeyInUseError{Key: "A", ID: id, Status: saga.Suspended, Why: "a live saga has it"}, status: 409, code: "key_in_use",
			check: func(t *testing.T, p client.Problem, _ http.Header) {
				require.Equal(t, id.String(), p.SagaID)
				require.Equal(t, client.Suspended, p.Saga)
			},
		},
		"Idempotency": {err: orchestrator.ErrIdempotency, status: 422, code: "idempotency_key_reused"},
		"Overloaded": {
			err: &orchestrator.OverloadedError{Why: "full", RetryAfter: 1500 * time.Millisecond}, status: 503, code: "overloaded",
			check: func(t *testing.T, p client.Problem, h http.Header) {
				require.True(t, p.Retryable)
				require.Equal(t, "2", h.Get("Retry-After"))
			},
		},
		"Stopping": {err: orchestrator.ErrStopping, status: 503, code: "stopping", check: func(t *testing.T, p client.Problem, h http.Header) {
			require.True(t, p.Retryable)
			require.Equal(t, "1", h.Get("Retry-After"))
		}},
		"Unknown": {err: fmt.Errorf("commit: %w", orchestrator.ErrUnknown), status: 503, code: "outcome_unknown"},
		"Unavailable": {err: fmt.Errorf("read: %w: dial", orchestrator.ErrUnavailable), status: 503, code: "unavailable", check: func(t *testing.T, p client.Problem, _ http.Header) {
			require.True(t, p.Retryable)
			require.Contains(t, p.Detail, "the database cannot be reached")
		}},
		"UnknownAsTheDatabaseIsAway": {err: fmt.Errorf("commit: %w: %w", orchestrator.ErrUnknown, orchestrator.ErrUnavailable), status: 503, code: "outcome_unknown"},
		"Other": {err: fmt.Errorf("secret of the database"), status: 500, code: "internal", check: func(t *testing.T, p client.Problem, _ http.Header) {
			require.NotContains(t, p.Detail, "secret", "causes go to the log alone")
		}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.engine.err = c.err
			w := b.do(t, exchange{method: "POST", path: "/v1/sagas", body: startBodyOf("{}")})
			p := problemIn(t, w, c.status, c.code)
			if c.check != nil {
				c.check(t, p, w.Header())
			}
			if c.status == 500 {
				require.Contains(t, b.logs.String(), "secret of the database")
				require.Contains(t, b.logs.String(), p.RequestID)
			}
		})
	}
}
