package api

import (
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// The server's limits are for requests that end; a stream sets one for each of its events instead.
func TestServe_StreamsOutliveTheServersLimits(t *testing.T) {
	t.Parallel()
	const limit = 100 * time.Millisecond
	b := setup(t)
	server := NewServer(b.api.Handler(), b.api.log)
	require.Greater(t, server.WriteTimeout, waitMax, "or no wait could be answered")
	server.ReadTimeout, server.WriteTimeout = limit, limit
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	defer func() {
		require.NoError(t, server.Close())
		require.ErrorIs(t, <-served, http.ErrServerClosed)
	}()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	c, err := client.New("http://"+listener.Addr().String(), client.WithHTTPClient(&http.Client{Transport: transport}))
	require.NoError(t, err)

	past := len(b.engine.reader.facts)
	seen, ended := 0, false
	for event, err := range c.SagaEvents(t.Context(), b.engine.started.ID.String(), 0) {
		require.NoError(t, err, "the stream was cut off")
		ended = ended || event.Type == client.EventEnd
		if seen++; seen == past {
			time.AfterFunc(4*limit, func() {
				in := b.engine.finish(t)
				b.hub.Committed(orchestrator.BatchStats{}, []saga.Instance{in})
			})
		}
	}
	require.True(t, ended)
}

func TestServe_CutsOffSlowHeaders(t *testing.T) {
	t.Parallel()
	b := setup(t)
	server := NewServer(b.api.Handler(), b.api.log)
	server.ReadHeaderTimeout = 50 * time.Millisecond
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	defer func() {
		require.NoError(t, server.Close())
		<-served
	}()
	conn, err := net.Dial("tcp", listener.Addr().String())
	require.NoError(t, err)
	defer conn.Close()
	_, err = conn.Write([]byte("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: "))
	require.NoError(t, err)
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(20*time.Second)))
	_, err = conn.Read(make([]byte, 1))
	require.Error(t, err, "the connection is closed without an answer")
	require.False(t, strings.Contains(err.Error(), "timeout"), "by the server, not by this test's own limit")
}
