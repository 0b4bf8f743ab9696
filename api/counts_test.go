package api

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator"
)

// counter counts as slowly as it is told.
type counter struct {
	takes time.Duration
	err   error
	n     int64
}

func (c *counter) read(ctx context.Context, _ string) (orchestrator.Stats, error) {
	c.n++
	n := c.n
	select {
	case <-time.After(c.takes):
		return orchestrator.Stats{Live: n}, c.err
	case <-ctx.Done():
		return orchestrator.Stats{}, ctx.Err()
	}
}

func TestCounts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		from := &counter{takes: 300 * time.Millisecond}
		c := &counts{read: from.read}
		live := func() int64 {
			stats, err := c.of(t.Context(), "default")
			require.NoError(t, err)
			return stats.Live
		}
		took := func(what func()) time.Duration {
			began := time.Now()
			what()
			return time.Since(began)
		}
		require.Equal(t, from.takes, took(func() { require.EqualValues(t, 1, live()) }), "the first one waits: there is nothing to show")
		require.Zero(t, took(func() { require.EqualValues(t, 1, live()) }), "what was counted just now is shown at once")
		time.Sleep(countsKept)
		require.Equal(t, countsWait, took(func() { require.EqualValues(t, 1, live()) }), "who looks waits no longer than this")
		time.Sleep(from.takes)
		require.Zero(t, took(func() { require.EqualValues(t, 2, live()) }), "but it was counted meanwhile")
		time.Sleep(countsOld)
		require.Equal(t, from.takes, took(func() { require.EqualValues(t, 3, live()) }), "what is old is not shown")
		_, err := c.of(t.Context(), "other")
		require.NoError(t, err)
		require.EqualValues(t, 4, from.n, "each tenant has its own")
	})
}

func TestCounts_AreSharedAndSurviveWhoAskedFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		from := &counter{takes: time.Second}
		c := &counts{read: from.read}
		first, leave := context.WithCancel(t.Context())
		gone := make(chan error)
		go func() {
			_, err := c.of(first, "default")
			gone <- err
		}()
		synctest.Wait()
		answers := make(chan int64)
		for range 3 {
			go func() {
				stats, _ := c.of(t.Context(), "default")
				answers <- stats.Live
			}()
		}
		synctest.Wait()
		leave()
		require.ErrorIs(t, <-gone, context.Canceled)
		for range 3 {
			require.EqualValues(t, 1, <-answers)
		}
		require.EqualValues(t, 1, from.n, "counted once for all")
	})
}

func TestCounts_AnErrorIsNotKept(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		from := &counter{err: errors.New("Postgres is away")}
		c := &counts{read: from.read}
		_, err := c.of(t.Context(), "default")
		require.ErrorIs(t, err, from.err)
		from.err = nil
		stats, err := c.of(t.Context(), "default")
		require.NoError(t, err)
		require.EqualValues(t, 2, stats.Live)
	})
}
