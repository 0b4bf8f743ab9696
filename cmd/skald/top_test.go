package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/api/client"
)

func TestMeter(t *testing.T) {
	t.Parallel()
	m := &meter{}
	at := time.Unix(1_700_000_000, 0)
	require.Equal(t, rate{"started", 0}, m.rates(at)[0])
	for second := range 20 {
		for range 6 {
			m.count("skald.saga.started", at.Add(time.Duration(second)*time.Second))
		}
		m.count("saga.completed", at.Add(time.Duration(second)*time.Second))
		m.count("abort.started", at.Add(time.Duration(second)*time.Second))
	}
	rates := m.rates(at.Add(20 * time.Second))
	require.Equal(t, rate{"started", 6}, rates[0])
	require.Equal(t, rate{"completed", 1}, rates[1])
	require.Equal(t, rate{"started", 0}, m.rates(at.Add(time.Minute))[0], "they are those of the last seconds")
}

func TestScene_TheWorstFirst(t *testing.T) {
	t.Parallel()
	half, all, lag := 0.5, 1.0, int64(7)
	list := []client.Participant{
		{Name: "calm", ParticipantCounts: client.ParticipantCounts{InFlight: 9}},
		{Name: "behind", Lag: &lag},
		{Name: "failing", ErrorRate: &half, Answers: 20},
		{Name: "down", ErrorRate: &all, Answers: 20},
		{Name: "stuck", ParticipantCounts: client.ParticipantCounts{Stuck: 1}},
		{Name: "held", Hold: &client.Hold{Reason: "the gateway\x1b[2J is away"}},
	}
	s := scene{At: time.Now(), Participants: worstFirst(list), Stats: client.Stats{Live: 3, ByStatus: map[string]int64{"running": 2, "suspended": 1, "compensating": 0}}}
	var out strings.Builder
	s.draw(&out, style{}, 4)
	text := out.String()
	at := -1
	for _, name := range []string{"held", "stuck", "down", "failing"} {
		next := strings.Index(text, "\n"+name+" ")
		require.Greater(t, next, at, "%s in\n%s", name, text)
		at = next
	}
	require.NotContains(t, text, "calm", "four are shown")
	require.NotContains(t, text, "\x1b", "what others wrote steers no terminal")
	require.Contains(t, text, "running 2   suspended 1\n")
	require.Contains(t, text, "50 % of 20")
}

// Where the output is no terminal it is printed once.
func TestTop_NotATerminal(t *testing.T) {
	t.Parallel()
	answers := map[string]string{
		"/v1/stats": `{"live":7,"by_status":{"running":6,"suspended":1},"by_cause":{"reply":6,"attention":1},"by_definition":{"order-placement":7},
			"by_participant":{},"with_attention":1,"quarantined":0}`,
		"/v1/participants": `{"items":[{"name":"payments","in_flight":6,"backing_off":0,"held":0,"stuck":1,"lag":12,"answers":0,"failures":0,"since":"2026-11-20T10:00:00Z"}]}`,
		"/v1/sagas": `{"items":[{"id":"019aa000-0000-7000-8000-000000000000","saga":"order-placement","version":2,"key":"A-1","tenant":"default","status":"suspended",
			"paused":false,"revision":4,"created_at":"2026-11-20T10:00:00Z","updated_at":"2026-11-20T10:00:00Z","steps":[],
			"attention":[{"reason":"undo_failed","step":"charge-payment","since":"2026-11-20T10:00:00Z"}]}]}`,
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(answers[r.URL.Path]))
	}))
	defer server.Close()
	var out, errs bytes.Buffer
	code := run(t.Context(), []string{"top", "--server", server.URL}, streams{strings.NewReader(""), &out, &errs})
	require.Zero(t, code, errs.String())
	text := out.String()
	require.NotContains(t, text, "\x1b")
	for _, want := range []string{
		"7 live, 1 with attention, 0 in quarantine", "status         running 6   suspended 1", "waits for      reply 6   attention 1",
		"payments     6          0            0     1      12", "019aa000-0000-7000-8000-000000000000  order-placement@2  A-1  suspended",
	} {
		require.Contains(t, text, want)
	}
	out.Reset()
	require.Zero(t, run(t.Context(), []string{"top", "--server", server.URL, "-o", "json"}, streams{strings.NewReader(""), &out, &errs}))
	require.True(t, json.Valid(out.Bytes()))
	require.Equal(t, exitUsage, run(t.Context(), []string{"top", "--server", server.URL, "--every", "1ms"}, streams{strings.NewReader(""), &out, &errs}))
}
