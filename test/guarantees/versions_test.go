package guarantees

import (
	"context"
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

// errandTwo is errand's second version: it asks somebody else, and has one step more.
const errandTwo = `
saga: errand
version: 2
defaults: {timeout: 30s}
steps:
  - {name: ask, participant: clerk, command: AskTwice.v1, effect: none}
  - {name: stamp, participant: clerk, command: Stamp.v1, effect: none}
  - {name: file, participant: clerk, command: File.v1, effect: none}
`

// TestVersions: sagas of two versions are live at once. Each ends on the version that it began on, although the first one is
// retired meanwhile and every replica that knew it is gone (S20).
func TestVersions(t *testing.T) {
	t.Parallel()
	const each = 20
	s := setup(t)
	release := make(chan struct{})
	freed := sync.OnceFunc(func() { close(release) })
	defer freed()
	var mu sync.Mutex // guards asked
	asked := map[string]int{}
	var held atomic.Int64
	s.Answer("clerk", func(p *participants.Participant) {
		for _, name := range []string{"Ask.v1", "AskTwice.v1", "Stamp.v1", "File.v1"} {
			p.Handle(name, func(ctx context.Context, req *participants.Request) (participants.Result, error) {
				mu.Lock()
				asked[fmt.Sprintf("%s of version %d", req.Name, req.SagaVersion)]++
				mu.Unlock()
				if req.Name == "Ask.v1" || req.Name == "AskTwice.v1" {
					held.Add(1)
					select {
					case <-release:
					case <-ctx.Done():
					}
				}
				return participants.Succeed(nil)
			}, nil)
		}
	})
	first := s.Serve().Ready(t)
	register(t, first.Client, "errand", 1, errand)
	s.Settled(1, "clerk")
	start := func(c *client.Client, version int) {
		t.Helper()
		var group errgroup.Group
		for range each {
			group.Go(func() error {
				started, err := c.Start(t.Context(), client.StartRequest{Saga: "errand", Input: mode("held")})
				if err == nil && started.Version != version {
					err = fmt.Errorf("saga %s began on version %d, want %d", started.ID, started.Version, version)
				}
				return err
			})
		}
		require.NoError(t, group.Wait())
	}
	start(first.Client, 1)
	register(t, first.Client, "errand", 2, errandTwo)
	start(first.Client, 2)
	stack.Eventually(t, 30*time.Second, func(context.Context) error {
		if n := held.Load(); n < 2*each {
			return errFew{int(n), 2 * each}
		}
		return nil
	})

	_, err := first.RetireDefinition(t.Context(), "errand", 1, "nobody starts it any more")
	require.NoError(t, err)
	first.Terminate()
	require.NoError(t, first.Wait(40*time.Second))
	second := s.Serve().Ready(t)
	freed()
	ended(t, second.Client, time.Minute)

	count := map[int]int{}
	for id, sg := range all(t, second.Client) {
		require.Equal(t, client.Completed, sg.Status)
		count[sg.Version]++
		var steps []string
		for _, step := range sg.Steps {
			steps = append(steps, step.Name)
		}
		want := map[int][]string{1: {"ask", "file"}, 2: {"ask", "stamp", "file"}}[sg.Version]
		require.Equal(t, want, steps, "saga %s of version %d", id, sg.Version)
	}
	require.Equal(t, map[int]int{1: each, 2: each}, count)
	mu.Lock()
	defer mu.Unlock()
	require.Equal(t, map[string]int{
		"Ask.v1 of version 1": each, "File.v1 of version 1": each,
		"AskTwice.v1 of version 2": each, "Stamp.v1 of version 2": each, "File.v1 of version 2": each,
	}, asked)
	s.Audit()
}
