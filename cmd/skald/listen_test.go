package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/api/client"
)

func TestListen_Taken(t *testing.T) {
	t.Parallel()
	first, moved, err := listen(t.Context(), "127.0.0.1:0", "--http-addr", portsAsGiven)
	require.NoError(t, err)
	defer first.Close()
	require.False(t, moved)

	_, _, err = listen(t.Context(), first.Addr().String(), "--http-addr", portsAsGiven)
	require.ErrorContains(t, err, "another process has the port")

	other, moved, err := listen(t.Context(), first.Addr().String(), "--http-addr", portsOrOther)
	require.NoError(t, err)
	defer other.Close()
	require.True(t, moved)
	require.NotEqual(t, first.Addr().String(), other.Addr().String())

	_, _, err = listen(t.Context(), "no-such-host.invalid:1", "--http-addr", portsOrOther)
	require.Error(t, err, "only a taken port is replaced")
}

// TestGate: before there is an API a probe sees that the process lives, and everybody else is told to come back.
func TestGate(t *testing.T) {
	t.Parallel()
	g := &gate{}
	srv := httptest.NewServer(g)
	defer srv.Close()
	c, err := client.New(srv.URL)
	require.NoError(t, err)

	resp, err := http.Get(srv.URL + "/healthz")
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusOK, resp.StatusCode)

	var answer *client.Error
	require.ErrorAs(t, c.Ready(t.Context()), &answer)
	require.Equal(t, "starting", answer.Code)
	require.True(t, answer.Retryable)
	require.Equal(t, time.Second, answer.RetryAfter)
	require.Equal(t, exitUnreachable, exitCode(answer))

	g.open(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	require.NoError(t, c.Ready(t.Context()))
}

func TestAwait_SaysWhatWasMissing(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	err := await(ctx, time.Millisecond, func(context.Context) error {
		cancel()
		return errors.New("no member yet")
	})
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorContains(t, err, "no member yet")
}

func TestExitCode(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]int{
		400: exitUsage, 413: exitUsage, 415: exitUsage, 422: exitUsage, 401: exitForbidden, 403: exitForbidden, 404: exitNotFound,
		409: exitForbidden, 412: exitForbidden, 429: exitUnreachable, 503: exitUnreachable, 500: exitFailed,
	} {
		err := &client.Error{}
		err.Status = status
		require.Equal(t, want, exitCode(hint(err, "something")), "status %d", status)
	}
	require.Equal(t, exitDone, exitCode(nil))
	require.Equal(t, exitFailed, exitCode(errors.New("other")))
	require.Equal(t, exitNotComplete, exitCode(ended(client.Compensated)))
	require.NoError(t, ended(client.Completed))
}
