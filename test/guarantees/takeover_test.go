package guarantees

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/participants"
	"github.com/skaldhq/skald/test/stack"
)

// takeoverWithin is what L3 promises, from the death of a replica.
const takeoverWithin = 15 * time.Second

// TestTakeover: one of two replicas is killed while sagas wait: some for timers that only the dead one has in its memory, some for
// replies, of which a share comes on its partitions. Each moves again within 15 s of the kill (L3).
func TestTakeover(t *testing.T) {
	t.Parallel()
	const each = 40
	s := setup(t)
	release := make(chan struct{})
	freed := sync.OnceFunc(func() { close(release) })
	defer freed()
	var held, failed atomic.Int64
	s.Answer("clerk", func(p *participants.Participant) {
		p.Handle("Ask.v1", func(ctx context.Context, req *participants.Request) (participants.Result, error) {
			var in struct{ Mode string }
			if err := req.Decode(&in); err != nil {
				return participants.Result{}, err
			}
			switch {
			case in.Mode == "held":
				held.Add(1)
				select {
				case <-release:
				case <-ctx.Done():
				}
			case req.Attempt == 1:
				failed.Add(1)
				return participants.Fail("not_yet", "comes back later")
			}
			return participants.Succeed(nil)
		}, nil)
		p.Handle("File.v1", func(context.Context, *participants.Request) (participants.Result, error) {
			return participants.Succeed(nil)
		}, nil)
	})
	const breaker = "SKALD_BREAKER_ENABLED=false" // off: all fail here, and are to be tried again
	dies, stays := s.ServeTagged("", breaker), s.ServeTagged("", breaker)
	dies.Ready(t)
	stays.Ready(t)
	register(t, stays.Client, "errand", 1, errand)
	s.Settled(2, "clerk")

	var mu sync.Mutex
	var ids []string
	start := func(text string) {
		var group errgroup.Group
		for i := range each {
			group.Go(func() error {
				via := []*client.Client{dies.Client, stays.Client}[i%2]
				started, err := via.Start(t.Context(), client.StartRequest{Saga: "errand", Input: mode(text)})
				mu.Lock()
				defer mu.Unlock()
				ids = append(ids, started.ID)
				return err
			})
		}
		require.NoError(t, group.Wait())
	}
	reach := func(what *atomic.Int64) {
		stack.Eventually(t, 30*time.Second, func(context.Context) error {
			if n := what.Load(); n < each {
				return fmt.Errorf("%d of %d commands have come", n, each)
			}
			return nil
		})
	}
	start("held")
	reach(&held)
	start("fails")
	reach(&failed)
	last := ids[len(ids)-1]
	stack.Eventually(t, 10*time.Second, func(ctx context.Context) error { // the timers are about to fire
		sg, err := stays.Saga(ctx, last)
		switch {
		case err != nil:
			return err
		case sg.Steps[0].Attempts > 1:
			return nil // too late for this one
		case len(sg.BlockedOn) == 0 || sg.BlockedOn[0].Until == nil || sg.BlockedOn[0].Cause != "backoff":
			return errors.New("it does not back off yet")
		case time.Until(*sg.BlockedOn[0].Until) > time.Second:
			return errors.New("its timer is not due yet")
		}
		return nil
	})

	killed := time.Now()
	dies.Kill()
	freed()
	ended(t, stays.Client, time.Minute)
	var slowest time.Duration
	late := 0
	for id, sg := range all(t, stays.Client) {
		require.Equal(t, client.Completed, sg.Status)
		moved := time.Duration(-1)
		for fact, err := range stays.AllHistory(t.Context(), id) {
			require.NoError(t, err)
			if fact.At.After(killed) {
				moved = fact.At.Sub(killed)
				break
			}
		}
		slowest = max(slowest, moved)
		if moved > 2*time.Second {
			late++
		}
		if moved > takeoverWithin {
			t.Errorf("saga %s moved %s after the kill", id, moved)
		}
	}
	t.Logf("of %d sagas %d waited for the dead replica; the last moved %s after the kill", 2*each, late, slowest)
	require.Positive(t, late, "none of them waited for the dead replica: the test shows nothing")
	require.Len(t, ids, 2*each)
	s.Audit()
}
