package guarantees

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/test/stack"
)

// TestOverload: many more starts than the intake holds. What does not fit is refused before it is accepted, with 503 and a
// Retry-After; what was accepted ends, and once the load stops nothing lags behind (L7).
func TestOverload(t *testing.T) {
	t.Parallel()
	const (
		callers = 96
		span    = 4 * time.Second
	)
	s := setup(t)
	s.Answer("clerk", obliging)
	r := (&stack.Replica{Process: s.Start("serve", "--intake-starts", "8", "--intake-batch-events", "8")}).Ready(t)
	register(t, r.Client, "errand", 1, errand)
	s.Settled(1, "clerk")

	var mu sync.Mutex // guards what follows
	var took []time.Duration
	accepted := map[string]bool{}
	refused := 0
	var calling sync.WaitGroup
	until := time.Now().Add(span)
	for range callers {
		calling.Go(func() {
			for time.Now().Before(until) {
				began := time.Now()
				started, err := r.Client.Start(context.Background(), client.StartRequest{Saga: "errand", Input: mode("at once")})
				var answer *client.Error
				mu.Lock()
				switch {
				case err == nil:
					accepted[started.ID] = true
					took = append(took, time.Since(began))
				case errors.As(err, &answer):
					refused++
					if answer.Status != http.StatusServiceUnavailable || answer.Code != "overloaded" || answer.RetryAfter < time.Second || !answer.Retryable {
						t.Errorf("refused with %+v", answer)
					}
				default:
					t.Errorf("start: %v", err)
				}
				mu.Unlock()
			}
		})
	}
	calling.Wait()
	stopped := time.Now()
	require.Positive(t, refused, "nothing was refused: there was no overload")
	require.NotEmpty(t, accepted, "nothing was accepted: it was not overload but an outage")
	ended(t, r.Client, 30*time.Second)
	drained := time.Since(stopped)
	slices.Sort(took)
	p99 := took[len(took)*99/100]
	t.Logf("%d starts accepted (p99 %s), %d refused; all had ended %s after the load stopped", len(took), p99, refused, drained)
	if !stack.Raced { // everything is several times as slow, and others use the machine too
		require.Less(t, p99, 5*time.Second, "what is accepted is answered soon")
	}
	found := all(t, r.Client)
	require.Len(t, found, len(accepted), "what was refused is not stored")
	for id := range accepted {
		require.Equal(t, client.Completed, found[id].Status)
		require.Less(t, found[id].EndedAt.Sub(stopped), 20*time.Second)
	}
	s.Audit()
}
