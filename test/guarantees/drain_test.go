package guarantees

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/test/stack"
)

// flow starts errands through one replica until it is stopped: some callers, each one start after the other, so that the load is
// what the machine can bear.
type flow struct {
	stop chan struct{}
	done sync.WaitGroup

	mu       sync.Mutex // guards what follows
	accepted []string
	refused  int
}

func flowThrough(c *client.Client) *flow {
	const callers = 4
	f := &flow{stop: make(chan struct{})}
	for range callers {
		f.done.Go(func() {
			tick := time.NewTicker(5 * time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-tick.C:
					f.start(c)
				case <-f.stop:
					return
				}
			}
		})
	}
	return f
}

func (f *flow) start(c *client.Client) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	started, err := c.Start(ctx, client.StartRequest{Saga: "errand", Input: mode("at once")})
	f.mu.Lock()
	defer f.mu.Unlock()
	if err != nil {
		f.refused++
		return
	}
	f.accepted = append(f.accepted, started.ID)
}

func (f *flow) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.accepted)
}

// end stops it, once every answer is there.
func (f *flow) end() {
	close(f.stop)
	f.done.Wait()
}

// TestDrain: under load one of two replicas gets SIGTERM. It is gone within 30 s; whatever it answered with 2xx is stored and ends;
// nothing that it had in hand waits for somebody to miss it; and the other one goes on all the while (L8).
//
// It measures spans, and so does not run beside the other tests of the package.
func TestDrain(t *testing.T) {
	s := setup(t)
	s.Answer("clerk", obliging)
	leaves, stays := s.Serve(), s.Serve()
	leaves.Ready(t)
	stays.Ready(t)
	register(t, stays.Client, "errand", 1, errand)
	s.Settled(2, "clerk")

	through, beside := flowThrough(leaves.Client), flowThrough(stays.Client)
	await := func(f *flow, n int) {
		stack.Eventually(t, 30*time.Second, func(context.Context) error {
			if got := f.count(); got < n {
				return errFew{got, n}
			}
			return nil
		})
	}
	await(through, 100)
	asked := time.Now()
	leaves.Terminate()
	require.NoError(t, leaves.Wait(30*time.Second))
	gone := time.Now()
	require.Zero(t, leaves.ExitCode(), "%s", leaves.Err)
	await(beside, beside.count()+300)
	through.end()
	beside.end()
	ended(t, stays.Client, 30*time.Second)

	require.Positive(t, through.refused, "the drain came after the load")
	require.Zero(t, beside.refused, "the other replica refused somebody")
	found := all(t, stays.Client)
	var ends []time.Time
	var longest time.Duration
	for _, id := range append(slices.Clone(through.accepted), beside.accepted...) {
		sg, ok := found[id]
		require.True(t, ok, "saga %s was answered with 2xx and is lost", id)
		require.Equal(t, client.Completed, sg.Status)
		for _, step := range sg.Steps {
			require.Equal(t, 1, step.Attempts, "saga %s: %s was sent twice", id, step.Name)
		}
		ends = append(ends, *sg.EndedAt)
		longest = max(longest, sg.EndedAt.Sub(sg.CreatedAt))
	}
	slices.SortFunc(ends, time.Time.Compare)
	var gap time.Duration
	for i := 1; i < len(ends); i++ {
		if ends[i].After(asked) {
			gap = max(gap, ends[i].Sub(ends[i-1]))
		}
	}
	t.Logf("drained in %s; %d sagas through it and %d beside it; no saga ended for %s at the longest, and none took longer than %s",
		gone.Sub(asked), len(through.accepted), len(beside.accepted), gap, longest)
	// A group misses a member that has not left it after 6 s, and an outbox row that nobody publishes is taken after 8 s.
	require.Less(t, longest, 6*time.Second, "something was left behind, or the other replica did not go on at once")
	s.Audit()
}
