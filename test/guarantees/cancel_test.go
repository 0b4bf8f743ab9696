package guarantees

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/configs"
	"github.com/skaldhq/skald/test/stack"
)

// cancels are the answers that those who cancelled a saga got.
type cancels struct {
	done    int // 202: it is being undone
	pending int // 202: it waits for the pivot
	past    int // 409 past_pivot
	ended   int // 409 saga_ended
}

// TestCancel: cancels race with success, several at a time through two replicas. Whoever was told 202 finds the saga undone, or a
// fact that says that the pivot was faster; whoever was told 409 finds it completed, or undone by another; it is never both, and
// the participants' tables agree (S19).
func TestCancel(t *testing.T) {
	t.Parallel()
	const sagas, callers = 100, 3
	s := setup(t)
	s.Participants()
	a, b := s.Serve(), s.Serve()
	replicas := []*client.Client{a.Ready(t).Client, b.Ready(t).Client}
	src, err := fs.ReadFile(configs.Definitions(), configs.DefinitionPlacement)
	require.NoError(t, err)
	register(t, a.Client, "order-placement", 1, string(src))
	s.Settled(2, "orders", "payments", "inventory", "shipping")

	var mu sync.Mutex // guards told
	told := map[string]*cancels{}
	var group errgroup.Group
	group.SetLimit(8)
	for i := range sagas {
		group.Go(func() error {
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			started, err := replicas[i%2].Start(ctx, client.StartRequest{Saga: "order-placement", Input: stack.Order{ID: fmt.Sprintf("cancel-%03d", i)}.Input()})
			if err != nil {
				return err
			}
			answers := &cancels{}
			mu.Lock()
			told[started.ID] = answers
			mu.Unlock()
			var racing errgroup.Group
			for n := range callers {
				racing.Go(func() error {
					if err := reached(ctx, replicas[n%2], started.ID, moments()[i%len(moments())]); err != nil {
						return err
					}
					acted, err := cancelSaga(ctx, replicas[(i+n)%2], started.ID, fmt.Sprintf("cancel-%d-%d", i, n))
					mu.Lock()
					defer mu.Unlock()
					return answers.note(&acted, err)
				})
			}
			return racing.Wait()
		})
	}
	require.NoError(t, group.Wait())
	ended(t, a.Client, time.Minute)

	world, err := stack.ReadWorld(t.Context(), s.Pool)
	require.NoError(t, err)
	counts := map[string]int{}
	found := all(t, a.Client)
	require.Len(t, found, sagas)
	for id, answers := range told {
		sg := found[id]
		counts[string(sg.Status)]++
		if answers.pending > 0 {
			counts["pending"]++
		}
		require.NoError(t, world.Agrees(&sg))
		refusals := 0
		for fact, err := range a.Client.AllHistory(t.Context(), id) {
			require.NoError(t, err)
			if fact.Type == "cancel.refused" {
				refusals++
			}
		}
		switch sg.Status {
		case client.Compensated:
			require.Equal(t, "cancelled", sg.Abort.Reason, "nothing else was wrong with %s", id)
			require.Positive(t, answers.done+answers.pending, "%s is undone, and nobody was told so: %+v", id, answers)
			require.Zero(t, answers.past, "%s is undone, and somebody was told that it is past its pivot", id)
		case client.Completed:
			require.Zero(t, answers.done, "%s is completed, and somebody was told that it is undone: %+v", id, answers)
			if answers.pending > 0 {
				require.Positive(t, refusals, "%s: a cancel waited for the pivot, and was never refused", id)
			}
		default:
			require.Fail(t, "neither undone nor completed", "%s is %s", id, sg.Status)
		}
	}
	t.Logf("%v of %d sagas, with %d cancels each", counts, sagas, callers)
	require.Positive(t, counts["completed"], "every cancel won: there was no race")
	require.Positive(t, counts["compensated"], "no cancel won: there was no race")
	s.Audit()
}

// moments are when sagas are cancelled: at once, and once a step is where it says. Between the last two the pivot is out.
func moments() []moment {
	return []moment{{}, {"charge-payment", "in_flight"}, {"reserve-items", "succeeded"}, {"confirm-order", "in_flight"}, {"confirm-order", "succeeded"}}
}

type moment struct{ step, status string }

// reached waits until a saga's step is where it is to be, or past it.
func reached(ctx context.Context, c *client.Client, id string, m moment) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for m.step != "" {
		sg, err := c.Saga(ctx, id)
		if err != nil {
			return err
		}
		for _, step := range sg.Steps {
			if step.Name == m.step && (step.Status == m.status || step.Status != "pending" && step.Status != "in_flight") {
				return nil
			}
		}
		if sg.Status != client.Running {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// cancelSaga asks under a key of its own until there is an answer: whoever is told that it took too long asks again.
func cancelSaga(ctx context.Context, c *client.Client, id, key string) (client.ActResult, error) {
	for {
		acted, err := c.Act(ctx, id, client.ActionCancel, client.ActRequest{Reason: "a race"}, client.WithIdempotencyKey(key))
		var answer *client.Error
		if !errors.As(err, &answer) || !answer.Retryable || ctx.Err() != nil {
			return acted, err
		}
	}
}

func (c *cancels) note(acted *client.ActResult, err error) error {
	var refused *client.Error
	switch {
	case err == nil && acted.Pending:
		c.pending++
	case err == nil:
		c.done++
	case errors.As(err, &refused) && refused.Code == "past_pivot":
		c.past++
	case errors.As(err, &refused) && refused.Code == "saga_ended":
		c.ended++
	default:
		return err
	}
	return nil
}
