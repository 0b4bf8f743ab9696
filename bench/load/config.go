package load

import (
	"context"
	"errors"
	"time"

	"github.com/skaldhq/skald/api/client"
)

const (
	// PostersDefault is how many starts of a closed loop are on their way at once, at most.
	PostersDefault = 128
	// DrainDefault is how long a run waits at its end for sagas that are in flight.
	DrainDefault = 30 * time.Second
	// FirstDefault is how long a run waits for the first end that it sees.
	FirstDefault = time.Minute
	// OutstandingDefault is how many sagas of an open loop may be under way before starts are left out.
	OutstandingDefault = 50_000
)

// Started is what a start answered.
type Started struct {
	ID string
	// Status is the saga's, where the start waited for its end. A terminal one ends it; empty: the end is watched for.
	Status client.Status
}

// StartFunc starts the saga number n, from 0, and returns once it is accepted. It is called by many at a time.
type StartFunc func(ctx context.Context, n int64) (Started, error)

// WatchFunc tells of every end that it learns of, until ctx ends. It may tell of other sagas too, and of one more than once. An
// error before ctx ends fails the run.
type WatchFunc func(ctx context.Context, ended func(id string, status client.Status)) error

// Config says what to do. InFlight or Rate is required, and Start and Duration.
type Config struct {
	InFlight int     // sagas in flight; 0: an open loop
	Rate     float64 // starts a second; 0: a closed loop

	Start StartFunc
	Watch WatchFunc // nil: Start waits for the ends

	WarmUp   time.Duration // before the measured span; 0: none
	Duration time.Duration // of the measured span
	Drain    time.Duration // 0: DrainDefault
	First    time.Duration // 0: FirstDefault

	Posters     int // of a closed loop; 0: PostersDefault
	Outstanding int // of an open loop; 0: OutstandingDefault

	// Begin and End are called as the measured span begins and ends; nil: not.
	Begin, End func()
	// Progress is called about five times a second; nil: not.
	Progress func(Progress)
}

func (c *Config) setDefaults() {
	if c.Drain <= 0 {
		c.Drain = DrainDefault
	}
	if c.First <= 0 {
		c.First = FirstDefault
	}
	if c.Posters <= 0 {
		c.Posters = PostersDefault
	}
	if c.Outstanding <= 0 {
		c.Outstanding = OutstandingDefault
	}
	if c.Begin == nil {
		c.Begin = func() {}
	}
	if c.End == nil {
		c.End = func() {}
	}
	if c.Progress == nil {
		c.Progress = func(Progress) {}
	}
}

// Validate reports everything that is wrong.
func (c *Config) Validate() error {
	var errs []error
	switch {
	case c.InFlight < 0 || c.Rate < 0:
		errs = append(errs, errors.New("in flight and rate: want a positive number"))
	case c.InFlight > 0 && c.Rate > 0:
		errs = append(errs, errors.New("in flight and rate: want one of the two"))
	case c.InFlight == 0 && c.Rate == 0:
		errs = append(errs, errors.New("want a number in flight, or a rate"))
	}
	if c.Rate > maxRate {
		errs = append(errs, errors.New("rate: want at most 1,000,000 a second"))
	}
	if c.Start == nil {
		errs = append(errs, errors.New("no way to start a saga"))
	}
	if c.Duration <= 0 {
		errs = append(errs, errors.New("duration: want a positive time"))
	}
	if c.WarmUp < 0 {
		errs = append(errs, errors.New("warm-up: want a positive time, or none"))
	}
	return errors.Join(errs...)
}

// maxRate is where the time between two starts is a microsecond.
const maxRate = 1e6
