package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/bench/load"
	"github.com/skaldhq/skald/orchestrator/definition"
)

func TestParseFloor(t *testing.T) {
	t.Parallel()
	got, err := parseFloor("noise\nhot=0.82 load=true outbox=batch due=none histRows=1 inflight=64 history=true sagas/s=1761 avg_batch=21.3 p50=34.5ms p99=71ms\n")
	require.NoError(t, err)
	require.Equal(t, sample{perSecond: 1761, batchEvents: 21.3, completedP50: 34.5, completedP99: 71}, got)
	for _, bad := range []string{"connection refused", "sagas/s=x avg_batch=1 p50=1ms p99=1ms", "sagas/s=1 avg_batch=1 p50=1 p99=1ms"} {
		_, err = parseFloor(bad)
		require.Error(t, err, "%q", bad)
	}
}

func TestParseMetrics(t *testing.T) {
	t.Parallel()
	text := "# HELP skald_batch_events x\nskald_batch_events_bucket{le=\"1\"} 7\nskald_batch_events_sum %d\nskald_batch_events_count %d\n" +
		"skald_commit_seconds_sum %g\nskald_commit_seconds_count 9\n"
	early, err := parseMetrics(fmt.Sprintf(text, 100, 10, 0.5))
	require.NoError(t, err)
	late, err := parseMetrics(fmt.Sprintf(text, 340, 30, 1.5))
	require.NoError(t, err)
	require.Equal(t, sample{batchEvents: 12, commitMS: 50}, early.between(late))
	require.Empty(t, early.between(early), "no transaction, no mean")
	_, err = parseMetrics("skald_batch_events_sum 1\n")
	require.ErrorContains(t, err, "has no metric")
	_, err = parseMetrics("skald_batch_events_sum x\n")
	require.Error(t, err)
}

func TestSpent_IsByProcessAndSaga(t *testing.T) {
	t.Parallel()
	c := &costs{pids: map[string]int{driverProcess: os.Getpid(), orchestratorProcess: 2, participantsProcess: 3, postgresProcess: 4, kafkaProcess: 5}}
	at := time.Now()
	cpu := func(each time.Duration) map[string]time.Duration {
		return map[string]time.Duration{driverProcess: each, orchestratorProcess: 2 * each, participantsProcess: each, postgresProcess: each, kafkaProcess: each}
	}
	a := snapshot{at: at, busy: time.Hour, cpu: cpu(time.Second), rss: map[string]int64{}, wal: 1000, xid: 10}
	b := snapshot{at: at.Add(10 * time.Second), busy: time.Hour + 14*time.Second, cpu: cpu(3 * time.Second), rss: map[string]int64{kafkaProcess: 77}, wal: 601_000, xid: 60}
	got := c.spent(a, b, 500, 2)
	require.InDelta(t, 20, got[cpuAll], 1e-9, "10 s for 500 sagas, the driver's 2 s left out")
	require.InDelta(t, 8, got[cpuPrefix+orchestratorProcess], 1e-9)
	require.InDelta(t, 4, got[cpuPrefix+driverProcess], 1e-9)
	require.InDelta(t, 1200, got[walBytes], 1e-9)
	require.InDelta(t, 0.1, got[commits], 1e-9)
	require.InDelta(t, 77, got[rssPrefix+kafkaProcess], 1e-9)
	require.InDelta(t, 0.1, got[othersCPU], 1e-9, "2 s of the 20 that two cores have")

	c.pids[orchestratorProcess+sameProcess+"2"] = 6
	a.cpu[orchestratorProcess+"#2"], b.cpu[orchestratorProcess+"#2"], b.rss[orchestratorProcess+"#2"] = time.Second, 2*time.Second, 5
	got = c.spent(a, b, 500, 2)
	require.InDelta(t, 10, got[cpuPrefix+orchestratorProcess], 1e-9, "those of all replicas together")
	require.InDelta(t, 22, got[cpuAll], 1e-9)
	require.InDelta(t, 5, got[rssPrefix+orchestratorProcess], 1e-9)
	require.NotContains(t, got, cpuPrefix+orchestratorProcess+"#2")

	delete(c.pids, kafkaProcess)
	got = c.spent(a, b, 500, 2)
	require.NotContains(t, got, cpuAll, "a sum that lacks a process would be wrong")
	require.NotContains(t, got, othersCPU)
	require.Contains(t, got, cpuPrefix+postgresProcess)
	require.Empty(t, c.spent(a, b, 0, 2))
}

func TestPoster(t *testing.T) {
	t.Parallel()
	const id = "019aa000-0000-7000-8000-000000000000"
	var status int
	var answer, asked, query string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // a test's own request
		asked, query = string(body), r.URL.RawQuery
		w.WriteHeader(status)
		_, _ = io.WriteString(w, answer)
	}))
	defer server.Close()
	p := newPoster(server.URL, 1, 0.5)
	defer p.close()

	status, answer = http.StatusAccepted, `{"$schema":"x","id":"`+id+`","status":"running"}`
	got, err := p.start(t.Context(), 0)
	require.NoError(t, err)
	require.Equal(t, load.Started{ID: id}, got)
	require.NotContains(t, asked, "refuse")
	_, err = p.start(t.Context(), 1)
	require.NoError(t, err)
	require.Contains(t, asked, `"refuse":true`, "every other one is to be undone")

	answer = `{}`
	_, err = p.start(t.Context(), 0)
	require.ErrorContains(t, err, "without an id")

	status, answer = http.StatusServiceUnavailable, `{"status":503,"code":"overloaded","retryable":true}`
	_, err = p.start(t.Context(), 0)
	var refusal *client.Error
	require.ErrorAs(t, err, &refusal)
	require.Equal(t, "overloaded", refusal.Code)

	status, answer = http.StatusOK, `{"id":"`+id+`","status":"completed"}`
	got, err = p.waiting().start(t.Context(), 0)
	require.NoError(t, err)
	require.Equal(t, load.Started{ID: id, Status: client.Completed}, got)
	require.Equal(t, "wait=30s", query)
}

func TestPoster_SendsEachReplicaItsShare(t *testing.T) {
	t.Parallel()
	asked := map[string]int{}
	var mu sync.Mutex // guards asked
	p := newPoster("http://nobody", 1, 0)
	defer p.close()
	p.among = &fleet{}
	for _, name := range []string{"a", "b"} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			mu.Lock()
			asked[name]++
			mu.Unlock()
			w.WriteHeader(http.StatusAccepted)
			_, _ = io.WriteString(w, `{"id":"019aa000-0000-7000-8000-000000000000"}`)
		}))
		defer server.Close()
		p.among.add(server.URL)
		defer p.among.remove(server.URL)
	}
	for n := range int64(6) {
		_, err := p.start(t.Context(), n)
		require.NoError(t, err)
	}
	require.Equal(t, map[string]int{"a": 3, "b": 3}, asked)
	p.among.remove(p.among.bases[0])
	for n := range int64(4) {
		_, err := p.start(t.Context(), n)
		require.NoError(t, err)
	}
	require.Equal(t, map[string]int{"a": 3, "b": 7}, asked, "nothing is sent to one that is gone")
}

func TestPlan_IsADefinition(t *testing.T) {
	t.Parallel()
	def, err := definition.Read("plan", []byte(plan))
	require.NoError(t, err)
	require.Equal(t, "three-steps", def.Name)
	require.Len(t, def.Steps, commandsCompleted)
}

func TestEndOf(t *testing.T) {
	t.Parallel()
	header := func(value string) []*sarama.RecordHeader {
		return []*sarama.RecordHeader{{Key: []byte("ce_id"), Value: []byte("x")}, {Key: []byte("ce_type"), Value: []byte(value)}}
	}
	for value, want := range map[string]client.Status{
		"skald.saga.completed": client.Completed, "skald.saga.compensated": client.Compensated, "skald.saga.abandoned": client.Abandoned,
	} {
		got, ok := endOf(header(value))
		require.True(t, ok)
		require.Equal(t, want, got)
	}
	_, ok := endOf(header("skald.saga.started"))
	require.False(t, ok)
	_, ok = endOf(nil)
	require.False(t, ok)
}

func TestTail_KeepsTheEnd(t *testing.T) {
	t.Parallel()
	var out tail
	for i := range 3000 {
		fmt.Fprintf(&out, "line %d\n", i)
	}
	require.Len(t, out.String(), tailBytes)
	require.Contains(t, out.String(), "line 2999")
}

func TestProcess_SaysWhatItPrintedWhenItEnds(t *testing.T) {
	t.Parallel()
	p, err := start(&settings{}, "test's program", nil, "sh", "-c", "echo out of luck >&2; exit 3")
	require.NoError(t, err)
	err = p.await(t.Context(), time.Minute, time.Millisecond, func(context.Context) bool { return false })
	require.ErrorContains(t, err, "test's program")
	require.ErrorContains(t, err, "exit status 3")
	require.ErrorContains(t, err, "out of luck")
	p.stop()
	p.kill()
}
