package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/skaldhq/skald/api/client"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// stub answers every request alike.
func stub(status int, header map[string]string, body string) *httptest.Server {
	return httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for k, v := range header {
			w.Header().Set(k, v)
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}))
}

func newClient(t testing.TB, s *httptest.Server) *client.Client {
	t.Helper()
	c, err := client.New(s.URL, client.WithHTTPClient(s.Client()))
	require.NoError(t, err)
	return c
}

func TestNew_RefusesWhatIsNoAddress(t *testing.T) {
	t.Parallel()
	for _, base := range []string{"", "127.0.0.1:8080", "ftp://x", "http://", "http://a b"} {
		_, err := client.New(base)
		require.Error(t, err, base)
	}
}

func TestError_OfAProxysPage(t *testing.T) {
	t.Parallel()
	s := stub(502, nil, "<html>bad gateway</html>")
	defer s.Close()
	_, err := newClient(t, s).Stats(t.Context())
	var e *client.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, 502, e.Status)
	require.Equal(t, "http_502", e.Code)
	require.True(t, e.Retryable)
	require.Contains(t, e.Detail, "bad gateway")
}

func TestCall_EndsWithItsContext(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	defer s.Close()
	defer close(release)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, err := newClient(t, s).Stats(ctx)
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestCall_AnswerThatIsNoJSON(t *testing.T) {
	t.Parallel()
	s := stub(200, nil, "hello")
	defer s.Close()
	_, err := newClient(t, s).Stats(t.Context())
	require.ErrorContains(t, err, "read the answer")
}

func TestAllSagas_StopsAtTheFirstError(t *testing.T) {
	t.Parallel()
	calls := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls++
		switch r.URL.Query().Get("cursor") {
		case "":
			_, _ = w.Write([]byte(`{"items":[{"id":"1"},{"id":"2"}],"next_cursor":"c"}`))
		default:
			w.WriteHeader(500)
		}
	}))
	defer s.Close()
	var ids []string
	var last error
	for one, err := range newClient(t, s).AllSagas(t.Context(), client.SagaFilter{}) {
		last = err
		ids = append(ids, one.ID)
	}
	require.Equal(t, []string{"1", "2", ""}, ids)
	require.Error(t, last)
	require.Equal(t, 2, calls)
}

func TestReadEvents(t *testing.T) {
	t.Parallel()
	stream := "retry: 2000\n\n: beat\n\nid: 7\n\nid:8\nevent: a\ndata: {\"n\":1,\ndata: \"m\":2}\n\ndata: 3\r\n\r\nevent: cut off"
	var got []client.ServerEvent
	for e, err := range client.ReadEvents(strings.NewReader(stream)) {
		require.NoError(t, err)
		got = append(got, e)
	}
	require.Equal(t, []client.ServerEvent{
		{ID: "8", Type: "a", Data: json.RawMessage("{\"n\":1,\n\"m\":2}")},
		{ID: "8", Data: json.RawMessage("3")},
	}, got, "an id holds until the next; an event without its empty line never came")
	for range client.ReadEvents(strings.NewReader(stream)) {
		break
	}
}

func TestSagaEvents_OfAnUnknownSaga(t *testing.T) {
	t.Parallel()
	s := stub(404, map[string]string{"Content-Type": "application/problem+json"}, `{"status":404,"code":"not_found"}`)
	defer s.Close()
	n := 0
	for _, err := range newClient(t, s).SagaEvents(t.Context(), "x", 0) {
		n++
		var e *client.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, "not_found", e.Code)
	}
	require.Equal(t, 1, n)
}

func ExampleClient_Start() {
	server := stub(http.StatusAccepted, nil, `{"id":"019aa000-0000-7000-8000-000000000000","saga":"order-placement","version":1,"status":"running"}`)
	defer server.Close()
	c, err := client.New(server.URL)
	if err != nil {
		panic(err)
	}
	started, err := c.Start(context.Background(), client.StartRequest{
		Saga:  "order-placement",
		Input: json.RawMessage(`{"order_id":"A-1001"}`),
	}, client.WithIdempotencyKey("order A-1001"), client.WithWait(30*time.Second))
	if err != nil {
		panic(err)
	}
	fmt.Println(started.ID, started.Status)
	// Output: 019aa000-0000-7000-8000-000000000000 running
}

func ExampleError() {
	server := stub(http.StatusConflict, nil, `{"status":409,"code":"past_pivot","detail":"it is too late","possible":["pause"]}`)
	defer server.Close()
	c, err := client.New(server.URL)
	if err != nil {
		panic(err)
	}
	_, err = c.Act(context.Background(), "019aa000-0000-7000-8000-000000000000", client.ActionCancel, client.ActRequest{Reason: "the customer called"})
	var refused *client.Error
	if errors.As(err, &refused) && refused.Code == "past_pivot" {
		fmt.Println(refused.Detail, refused.Possible)
	}
	// Output: it is too late [pause]
}
