package outage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/cmd/skald/embedded/embeddedtest"
	"github.com/skaldhq/skald/test/stack"
)

// exitUnreachable is the exit code for servers that are not there: the same may work later.
const exitUnreachable = 3

// TestServe_PostgresAway: without its database a replica ends at once and says which server it can't reach.
func TestServe_PostgresAway(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("needs the binary")
	}
	port := freePort(t)
	for _, args := range [][]string{{"serve"}, {"serve", "--migrate"}} {
		p := stack.Start(t, []string{
			fmt.Sprintf("SKALD_DATABASE_URL=postgres://skald:hunter2@127.0.0.1:%d/skald", port),
			"SKALD_KAFKA_BROKERS=127.0.0.1:1", "SKALD_HTTP_ADDR=127.0.0.1:0", "SKALD_ADMIN_ADDR=",
		}, args...)
		require.NoError(t, p.Wait(30*time.Second), "%v", args)
		require.Equal(t, exitUnreachable, p.ExitCode(), "%v: %s", args, p.Err)
		require.Contains(t, p.Err.String(), fmt.Sprintf("127.0.0.1:%d", port))
		require.Contains(t, p.Err.String(), "connection refused")
		require.Contains(t, p.Err.String(), "is Postgres up, and is --database-url (SKALD_DATABASE_URL) right?")
		require.NotContains(t, p.Err.String()+p.Out.String(), "hunter2")
	}
}

// TestServe_NoSchema: a replica never migrates unless told to, and says what to do.
func TestServe_NoSchema(t *testing.T) {
	t.Parallel()
	p := stack.Start(t, []string{
		"SKALD_DATABASE_URL=" + embeddedtest.Database(t), "SKALD_KAFKA_BROKERS=127.0.0.1:1", "SKALD_HTTP_ADDR=127.0.0.1:0", "SKALD_ADMIN_ADDR=",
	}, "serve")
	require.NoError(t, p.Wait(30*time.Second))
	require.NotZero(t, p.ExitCode())
	require.Contains(t, p.Err.String(), "skald migrate up")
}

// TestServe_KafkaAway: a replica that starts while Kafka is away says so and waits for it. What needs Kafka is refused as
// something that works later; what needs only the database works.
func TestServe_KafkaAway(t *testing.T) {
	t.Parallel()
	kafka := newBroker(t, nil)
	s := newSite(t, kafka.addr())
	r := serveAt(t, s)
	logs(t, r, "topics are not there yet, tried again each second", kafka.addr())
	notReady(t, r)
	began := time.Now()
	_, _, err := r.Client.PutDefinition(t.Context(), "waiting", 1, []byte(waiting), true)
	var refused *client.Error
	require.ErrorAs(t, err, &refused)
	require.Equal(t, http.StatusServiceUnavailable, refused.Status, "%+v", refused)
	require.True(t, refused.Retryable)
	require.Less(t, time.Since(began), 15*time.Second)
	require.Zero(t, count(t, s, "definitions"))

	kafka.start()
	logs(t, r, "serving", r.URL)
	require.NoError(t, r.Client.Ready(t.Context()))
	register(t, r.Client)
	r.Interrupt()
	require.NoError(t, r.Wait(30*time.Second))
	require.Zero(t, r.ExitCode(), "%s", r.Err)

	kafka.stop()
	r = serveAt(t, s)
	logs(t, r, "topics are not there yet, tried again each second", kafka.addr())
	notReady(t, r)
	started, err := r.Client.Start(t.Context(), client.StartRequest{Saga: "order-placement", Input: stack.Order{ID: "early"}.Input()})
	require.NoError(t, err)
	require.Nil(t, started.Saga, "202: it has not ended")
	sg, err := r.Client.Saga(t.Context(), started.ID)
	require.NoError(t, err)
	require.Equal(t, "unpublished", sg.BlockedOn[0].Cause)

	kafka.start()
	logs(t, r, "serving", r.URL)
	require.NoError(t, r.Client.Ready(t.Context()))
	s.participants()
	stack.Eventually(t, time.Minute, idle(r.Client))
	sg, err = r.Client.Saga(t.Context(), started.ID)
	require.NoError(t, err)
	require.Equal(t, client.Completed, sg.Status)
	onlyPublishedTimedOut(t, r.Client, started.ID)
}

// notReady: a replica that has not reached Kafka yet answers, and says why it should get no traffic.
func notReady(t *testing.T, r *stack.Replica) {
	t.Helper()
	resp, err := http.Get(r.URL + "/healthz")
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusOK, resp.StatusCode)
	var answer *client.Error
	require.ErrorAs(t, r.Client.Ready(t.Context()), &answer)
	require.Equal(t, "503 not_ready", fmt.Sprintf("%d %s", answer.Status, answer.Code))
	require.Contains(t, answer.Detail, "Kafka")
	require.Positive(t, answer.RetryAfter)
}

// serveAt starts a replica at a port that is known before it says so.
func serveAt(t *testing.T, s *site) *stack.Replica {
	t.Helper()
	addr := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	r := s.serve("SKALD_HTTP_ADDR=" + addr)
	c, err := client.New("http://" + addr)
	require.NoError(t, err)
	r.URL, r.Client = "http://"+addr, c
	return r
}

// logs waits for a line of the log that has the message and, in any attribute, the text.
func logs(t *testing.T, r *stack.Replica, message, text string) {
	t.Helper()
	stack.Eventually(t, 30*time.Second, func(context.Context) error {
		if !r.Running() {
			t.Fatalf("the replica has ended: %s", r.Err)
		}
		for line := range strings.Lines(r.Err.String()) {
			var entry struct{ Msg string }
			if json.Unmarshal([]byte(line), &entry) == nil && entry.Msg == message && strings.Contains(line, text) {
				return nil
			}
		}
		return errors.New("it has not said " + message)
	})
}
