package load

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/skaldhq/skald/api/client"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fakeServer accepts sagas and ends them after a while, in the bubble's time.
type fakeServer struct {
	answer func(n int64) time.Duration // until a start is answered; nil: at once
	end    func(n int64) time.Duration // from the answer to the end; negative: never
	status func(n int64) client.Status // nil: completed
	refuse func(n int64) error

	ends     chan ended
	inFlight atomic.Int64
	most     atomic.Int64
}

type ended struct {
	id     string
	status client.Status
}

func newFakeServer(end time.Duration) *fakeServer {
	return &fakeServer{ends: make(chan ended, 10_000), end: func(int64) time.Duration { return end }}
}

func (s *fakeServer) start(ctx context.Context, n int64) (Started, error) {
	if s.answer != nil && !pause(ctx, s.answer(n)) {
		return Started{}, ctx.Err()
	}
	if s.refuse != nil {
		if err := s.refuse(n); err != nil {
			return Started{}, err
		}
	}
	s.most.Store(max(s.most.Load(), s.inFlight.Add(1)))
	if wait := s.end(n); wait >= 0 {
		time.AfterFunc(wait, func() {
			status := client.Completed
			if s.status != nil {
				status = s.status(n)
			}
			s.inFlight.Add(-1)
			s.ends <- ended{strconv.FormatInt(n, 10), status}
		})
	}
	return Started{ID: strconv.FormatInt(n, 10)}, nil
}

func (s *fakeServer) watch(ctx context.Context, tell func(string, client.Status)) error {
	for {
		select {
		case e := <-s.ends:
			tell(e.id, e.status)
			tell(e.id, e.status) // events come at least once
			tell("somebody-elses", client.Completed)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func TestRun_ClosedLoopKeepsTheNumberInFlight(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newFakeServer(100 * time.Millisecond)
		var begun, over int
		got, err := Run(t.Context(), Config{
			InFlight: 7, Start: s.start, Watch: s.watch, WarmUp: time.Second, Duration: 10 * time.Second,
			Begin: func() { begun++ }, End: func() { over++ },
		})
		require.NoError(t, err)
		require.EqualValues(t, 7, s.most.Load())
		require.InDelta(t, 70, got.PerSecond(), 1)
		require.InDelta(t, 100*time.Millisecond, got.ToEnded.P50, float64(time.Millisecond))
		require.EqualValues(t, got.AllEnded(), got.ToEnded.Count)
		require.Greater(t, got.Started, got.Accepted, "with the first and those of the warm-up")
		require.Equal(t, []int{1, 1}, []int{begun, over})
		require.Zero(t, got.Unfinished, "what was in flight at the end was waited for")
		require.Equal(t, 10*time.Second, got.Took)
		require.False(t, got.Interrupted)
	})
}

// A closed loop's clock starts with the request: waiting for one of the driver's own connections is no time of the server.
func TestRun_PostersAreNotTheServersTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newFakeServer(0)
		s.answer = func(int64) time.Duration { return 10 * time.Millisecond }
		got, err := Run(t.Context(), Config{InFlight: 50, Posters: 1, Start: s.start, Watch: s.watch, Duration: time.Second})
		require.NoError(t, err)
		require.InDelta(t, 10*time.Millisecond, got.ToAccepted.Max, float64(time.Millisecond))
		require.InDelta(t, 100, got.PerSecond(), 2)
	})
}

// The server stands still for a second. Each of the hundred starts that were due in it waited for the rest of it.
func TestRun_OpenLoopOmitsNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newFakeServer(0)
		began := time.Now()
		s.answer = func(int64) time.Duration {
			if at := time.Since(began); at >= 2*time.Second && at < 3*time.Second {
				return 3*time.Second - at
			}
			return time.Millisecond
		}
		got, err := Run(t.Context(), Config{Rate: 100, Start: s.start, Watch: s.watch, Duration: 5 * time.Second})
		require.NoError(t, err)
		require.EqualValues(t, 500, got.ToEnded.Count)
		require.EqualValues(t, 500, got.Accepted)
		require.InDelta(t, time.Millisecond, got.ToEnded.P50, float64(time.Millisecond))
		require.Greater(t, got.ToEnded.P95, 700*time.Millisecond, "the slowest 25 of 500 waited for more than 0.75 s")
		require.InDelta(t, time.Second, got.ToEnded.Max, float64(20*time.Millisecond))
		require.Less(t, got.SentLate.Max, time.Millisecond, "the driver is never held up by an answer")
	})
}

func TestRun_UnfinishedSagasCountWithTheirTimeSoFar(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newFakeServer(0)
		s.end = func(n int64) time.Duration {
			if n%2 == 1 {
				return -1
			}
			return time.Millisecond
		}
		got, err := Run(t.Context(), Config{Rate: 10, Start: s.start, Watch: s.watch, Duration: 2 * time.Second, Drain: 5 * time.Second})
		require.NoError(t, err)
		require.EqualValues(t, 10, got.Unfinished)
		require.EqualValues(t, 10, got.AllEnded())
		require.EqualValues(t, 20, got.ToEnded.Count)
		require.Greater(t, got.ToEnded.P95, 5*time.Second)
	})
}

func TestRun_RefusalsAreCountedByCodeAndTriedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newFakeServer(100 * time.Millisecond)
		s.refuse = func(n int64) error {
			switch {
			case n%4 == 1:
				return &client.Error{Problem: client.Problem{Status: http.StatusServiceUnavailable, Code: "overloaded", Retryable: true}, RetryAfter: time.Second}
			case n%4 == 2:
				return errors.New("connection reset")
			}
			return nil
		}
		got, err := Run(t.Context(), Config{InFlight: 2, Start: s.start, Watch: s.watch, Duration: 20 * time.Second})
		require.NoError(t, err)
		require.Positive(t, got.Refused["overloaded"])
		require.Positive(t, got.Refused["transport"])
		require.LessOrEqual(t, got.Refused["overloaded"], int64(40), "a slot waits as long as the server asks")
		require.Error(t, got.FirstRefusal)
		require.Positive(t, got.AllEnded())
	})
}

func TestRun_TellsEndsApart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newFakeServer(time.Millisecond)
		s.status = func(n int64) client.Status {
			if Every(n, 0.1) {
				return client.Compensated
			}
			return client.Completed
		}
		got, err := Run(t.Context(), Config{Rate: 100, Start: s.start, Watch: s.watch, Duration: 10 * time.Second})
		require.NoError(t, err)
		require.InDelta(t, 900, got.Ended[client.Completed], 1)
		require.InDelta(t, 100, got.Ended[client.Compensated], 1)
	})
}

// Where the start itself waits, its answer is the end, and tells nothing of when the saga was accepted.
func TestRun_StartsThatWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := func(ctx context.Context, n int64) (Started, error) {
			pause(ctx, 20*time.Millisecond)
			return Started{ID: strconv.FormatInt(n, 10), Status: client.Completed}, nil
		}
		got, err := Run(t.Context(), Config{InFlight: 1, Start: start, Duration: time.Second})
		require.NoError(t, err)
		require.InDelta(t, 50, got.PerSecond(), 1)
		require.InDelta(t, 20*time.Millisecond, got.ToEnded.P99, float64(time.Millisecond))
		require.Zero(t, got.ToAccepted.Count)
	})
}

func TestRun_InterruptedReturnsWhatThereIs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newFakeServer(10 * time.Millisecond)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(3*time.Second, cancel)
		began := time.Now()
		got, err := Run(ctx, Config{InFlight: 1, Start: s.start, Watch: s.watch, Duration: time.Hour})
		require.NoError(t, err)
		require.True(t, got.Interrupted)
		require.InDelta(t, 100, got.PerSecond(), 2)
		require.Less(t, time.Since(began), 4*time.Second)
		time.Sleep(time.Second) // the last ends come
	})
}

func TestRun_SaysThatNothingEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newFakeServer(-1)
		_, err := Run(t.Context(), Config{InFlight: 1, Start: s.start, Watch: s.watch, Duration: time.Second, First: 10 * time.Second})
		require.ErrorIs(t, err, ErrNoEnd)
		require.Greater(t, s.inFlight.Load(), int64(1), "a watcher that came too late gets further chances")
	})
}

// The end of the first saga may be missed; that of a later one opens the run, and neither is counted.
func TestRun_FirstSagaMissed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newFakeServer(time.Millisecond)
		s.end = func(n int64) time.Duration {
			if n == 0 {
				return -1
			}
			return time.Millisecond
		}
		got, err := Run(t.Context(), Config{Rate: 10, Start: s.start, Watch: s.watch, Duration: time.Second, Drain: time.Second})
		require.NoError(t, err)
		require.EqualValues(t, 10, got.AllEnded())
		require.Zero(t, got.Unfinished)
	})
}

func TestRun_HopelessStartFailsAtOnce(t *testing.T) {
	t.Parallel()
	want := &client.Error{Problem: client.Problem{Status: http.StatusNotFound, Code: "not_found"}}
	_, err := Run(t.Context(), Config{InFlight: 1, Duration: time.Second, Start: func(context.Context, int64) (Started, error) { return Started{}, want }})
	require.ErrorIs(t, err, want)
}

func TestRun_WatcherThatFailsFailsTheRun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newFakeServer(time.Millisecond)
		broken := errors.New("stream broken")
		watch := func(ctx context.Context, tell func(string, client.Status)) error {
			ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
			defer cancel()
			_ = s.watch(ctx, tell)
			return broken
		}
		_, err := Run(t.Context(), Config{InFlight: 1, Start: s.start, Watch: watch, Duration: time.Minute})
		require.ErrorIs(t, err, broken)
		time.Sleep(time.Second)
	})
}

func TestRun_OpenLoopIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newFakeServer(0)
		s.end = func(n int64) time.Duration {
			if n == 0 {
				return 0
			}
			return time.Hour
		}
		got, err := Run(t.Context(), Config{Rate: 100, Outstanding: 30, Start: s.start, Watch: s.watch, Duration: time.Second, Drain: time.Second})
		require.NoError(t, err)
		require.EqualValues(t, 30, got.Accepted)
		require.EqualValues(t, 70, got.LeftOut)
		require.EqualValues(t, 30, got.Unfinished)
		time.Sleep(2 * time.Hour)
	})
}

func TestRun_Progress(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newFakeServer(100 * time.Millisecond)
		var mu sync.Mutex
		var seen []Progress
		_, err := Run(t.Context(), Config{
			InFlight: 4, Start: s.start, Watch: s.watch, WarmUp: time.Second, Duration: 5 * time.Second,
			Progress: func(p Progress) { mu.Lock(); defer mu.Unlock(); seen = append(seen, p) },
		})
		require.NoError(t, err)
		require.InDelta(t, 30, len(seen), 3)
		last := seen[len(seen)-2]
		require.Equal(t, "measuring", last.Phase)
		require.Equal(t, 5*time.Second, last.Of)
		require.InDelta(t, 40, last.Recent, 2)
		require.InDelta(t, 100*time.Millisecond, last.P50, float64(time.Millisecond))
		require.Positive(t, last.InFlight)
	})
}

func TestConfig_ValidateSaysEverything(t *testing.T) {
	t.Parallel()
	_, err := Run(t.Context(), Config{InFlight: 1, Rate: 2e6, WarmUp: -1})
	for _, want := range []string{"one of the two", "1,000,000", "start a saga", "duration", "warm-up"} {
		require.ErrorContains(t, err, want)
	}
	require.ErrorContains(t, (&Config{}).Validate(), "in flight, or a rate")
}
