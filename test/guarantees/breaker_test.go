package guarantees

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/participants"
	"github.com/skaldhq/skald/test/stack"
)

// fragile gives up after five attempts within seconds, or at its deadline: an outage that lasts longer would compensate every
// saga that runs into it.
const fragile = `
saga: fragile
version: 1
deadline: 8s
defaults: {timeout: 2s, retry: {max_attempts: 5, initial: 1s, multiplier: 1, max: 1s, jitter: 0.2}}
steps:
  - {name: ask, participant: clerk, command: Ask.v1, compensation: {command: Unask.v1}}
  - {name: file, participant: clerk, command: File.v1, compensation: {command: Unfile.v1}}
`

// outage is how long the participant fails, and the breaker's settings. Where SKALD_TEST_OUTAGE names a time (make outage: a minute),
// they are those of production; else both are shortened, to several times what a saga's attempts last.
func outage(t *testing.T) (time.Duration, []string) {
	if text := os.Getenv("SKALD_TEST_OUTAGE"); text != "" {
		d, err := time.ParseDuration(text)
		require.NoError(t, err, "SKALD_TEST_OUTAGE")
		return d, nil
	}
	return 12 * time.Second, []string{"SKALD_BREAKER_WINDOW=5s", "SKALD_BREAKER_PAUSE=1s", "SKALD_BREAKER_PAUSE_MAX=2s", "SKALD_BREAKER_TRY=4s"}
}

// TestBreaker: a participant fails under load, on two replicas. The engine holds it, no saga is compensated for it, and all complete
// once it is well again.
func TestBreaker(t *testing.T) {
	t.Parallel()
	s := setup(t)
	lasts, settings := outage(t)
	a, b := s.ServeTagged("", settings...), s.ServeTagged("", settings...)
	replicas := []*client.Client{a.Ready(t).Client, b.Ready(t).Client}
	var down atomic.Bool
	var undone atomic.Int64
	s.Answer("clerk", func(p *participants.Participant) {
		for _, name := range []string{"Ask.v1", "File.v1"} {
			p.Handle(name, func(context.Context, *participants.Request) (participants.Result, error) {
				if down.Load() {
					return participants.Fail("down", "the clerk is away")
				}
				return participants.Succeed(nil)
			}, nil)
			p.Handle("Un"+strings.ToLower(name[:1])+name[1:], nil, func(context.Context, *participants.Request) (participants.Result, error) {
				undone.Add(1)
				return participants.Succeed(nil)
			})
		}
	})
	register(t, a.Client, "fragile", 1, fragile)
	s.Settled(2, "clerk")

	var ids []string
	load := func(d time.Duration) {
		tick := time.NewTicker(25 * time.Millisecond)
		defer tick.Stop()
		for end := time.Now().Add(d); time.Now().Before(end); <-tick.C {
			started, err := replicas[len(ids)%2].Start(t.Context(), client.StartRequest{Saga: "fragile", Input: []byte(`{}`)})
			require.NoError(t, err)
			ids = append(ids, started.ID)
		}
	}
	load(time.Second)
	down.Store(true)
	var holds []client.Hold
	for slow := time.Now().Add(30 * time.Second); len(holds) == 0 && time.Now().Before(slow); { // on a busy machine
		load(lasts / 2)
		var err error
		holds, err = b.Holds(t.Context())
		require.NoError(t, err)
	}
	require.Len(t, holds, 1, "whichever replica set it, it is one")
	hold := holds[0]
	require.Equal(t, client.HoldBreaker, hold.Kind)
	require.Equal(t, "clerk", hold.Name)
	require.Equal(t, "engine", hold.By)
	load(lasts / 2)
	down.Store(false)
	load(time.Second)

	ended(t, a.Client, time.Minute+lasts)
	for id, sg := range all(t, a.Client) {
		if sg.Status != client.Completed {
			require.Fail(t, "a saga did not complete", "%s is %s: %+v\n%s", id, sg.Status, sg.Abort, told(t, a.Client, id))
		}
		require.Equal(t, "committed", sg.Certificate.Verdict)
	}
	require.Zero(t, undone.Load())
	stack.Eventually(t, 30*time.Second, func(ctx context.Context) error {
		now, err := a.Hold(ctx, hold.ID)
		if err == nil && now.State != client.HoldEnded {
			err = fmt.Errorf("the breaker is %s", now.State)
		}
		return err
	})
	now, err := a.Hold(t.Context(), hold.ID)
	require.NoError(t, err)
	require.Equal(t, "engine", now.EndedBy)
	t.Logf("%d sagas; the breaker opened %d times within %s", len(ids), now.Trips, now.EndedAt.Sub(now.Since).Round(time.Millisecond))
}

// told is a saga's history, a fact a line.
func told(t *testing.T, c *client.Client, id string) string {
	t.Helper()
	var b strings.Builder
	h, err := c.History(t.Context(), id, "", 500)
	require.NoError(t, err)
	for i := range h.Items {
		f := &h.Items[i]
		fmt.Fprintf(&b, "%s %s %s %d: %s\n", f.At.Format("15:04:05.000"), f.Type, f.Step, f.Attempt, f.Why)
	}
	return b.String()
}
