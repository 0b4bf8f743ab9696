package sim

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
)

// Campaign runs the worlds of many seeds, and ends at the first that breaks a promise.
type Campaign struct {
	First    uint64 // the first seed; 0: 1
	Seeds    int
	Parallel int            // worlds at a time; 0: one for each core
	Twice    int            // so many of the first seeds are run twice, and their traces compared
	Options  Options        // of every world, but for the seed
	Progress func(done int) // called after each seed, by any goroutine; nil: nobody looks
}

// Run runs the campaign. The failure is that of the lowest seed that fails; nil: none does.
func (c Campaign) Run() (Summary, *Failure) {
	c.First = max(c.First, 1)
	if c.Parallel <= 0 {
		c.Parallel = runtime.GOMAXPROCS(0)
	}
	var (
		next, done atomic.Int64
		mu         sync.Mutex // guards what follows
		sum        Summary
		failure    *Failure
		workers    sync.WaitGroup
	)
	failed := func(seed uint64) bool { // seeds above the lowest that fails need not be run
		mu.Lock()
		defer mu.Unlock()
		return failure != nil && seed > failure.Options.Seed
	}
	for range c.Parallel {
		workers.Go(func() {
			for {
				n := next.Add(1) - 1
				seed := c.First + uint64(n)
				if n >= int64(c.Seeds) || failed(seed) {
					return
				}
				report, f := c.seed(seed, n < int64(c.Twice))
				mu.Lock()
				sum.Add(report)
				if f != nil && (failure == nil || seed < failure.Options.Seed) {
					failure = f
				}
				mu.Unlock()
				if c.Progress != nil {
					c.Progress(int(done.Add(1)))
				}
			}
		})
	}
	workers.Wait()
	return sum, failure
}

func (c Campaign) seed(seed uint64, twice bool) (Report, *Failure) {
	opt := c.Options
	opt.Seed = seed
	report, failure := try(opt)
	if failure != nil || !twice {
		return report, failure
	}
	again, failure := try(opt)
	if failure == nil && again.Trace != report.Trace {
		failure = &Failure{Options: opt, Report: report, Violation: &Violation{
			Guarantee: "world", At: report.Virtual, Message: "two runs of one seed have different traces",
		}}
	}
	return report, failure
}

// try is Run with its error as the type that it has.
func try(opt Options) (Report, *Failure) {
	report, err := Run(opt)
	var failure *Failure
	errors.As(err, &failure)
	return report, failure
}
