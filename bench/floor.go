package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"time"

	"github.com/skaldhq/skald/bench/load"
)

// openFloorInFlight is more than an open loop ever has under way: the floor must not hold its starts back.
const openFloorInFlight = 1_000_000

// floorMargin is how much longer the floor measures than it is looked at, so that it is still there at the end.
const floorMargin = 500 * time.Millisecond

// The floor's topics, and how many partitions each has. The engine's get as many: each one costs with every request, on all sides.
const (
	floorCommands   = "limit-c"
	floorReplies    = "limit-r"
	floorPartitions = 6
)

// floor is the running floor: participants and orchestrator, each in a process of its own.
type floor struct {
	s            *settings
	flags        []string
	addr         string
	parts, orch  *process
	listening    time.Time // since when it takes starts; its own warm-up began then
	costs        *costs    // nil: it did not come so far
	dropDatabase func()
}

// startFloor starts it as its served.sh does, and returns when it takes starts.
func startFloor(ctx context.Context, s *settings, p programs, sv *servers, inFlight int) (_ *floor, err error) {
	dsn, drop, err := sv.database(ctx, "floor")
	if err != nil {
		return nil, err
	}
	f := &floor{s: s, dropDatabase: drop}
	defer func() {
		if err != nil {
			f.stop()
		}
	}()
	if f.addr, err = freeAddr(); err != nil {
		return nil, err
	}
	if f.costs, err = newCosts(ctx, sv, dsn, floorCommands, floorReplies); err != nil {
		return nil, err
	}
	f.flags = []string{"-pg", dsn, "-kafka", sv.kafka, "-http", f.addr, "-d", (s.measure + floorMargin).String()}
	if f.parts, err = start(s, "floor's participants", nil, p.floor, append(f.flags, "-role", "part")...); err != nil {
		return nil, err
	}
	settle(ctx, time.Second) // both make the tables; the last one counts
	if f.orch, err = start(s, "floor", nil, p.floor, append(f.flags, "-role", "orch", "-inflight", strconv.Itoa(inFlight))...); err != nil {
		return nil, err
	}
	if err = f.orch.await(ctx, time.Minute, 5*time.Millisecond, listens(f.addr)); err != nil {
		return nil, err
	}
	f.listening = time.Now()
	f.costs.runs(orchestratorProcess, f.orch.pid())
	f.costs.runs(participantsProcess, f.parts.pid())
	return f, nil
}

func (f *floor) stop() {
	for _, p := range []*process{f.orch, f.parts} {
		if p != nil {
			p.kill() // it has nothing to finish
		}
	}
	if f.costs != nil {
		f.costs.close()
	}
	f.dropDatabase()
}

// end waits until the floor has said what it measured.
func (f *floor) end(ctx context.Context) (sample, error) {
	select {
	case <-f.orch.done:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(f.s.measure + 30*time.Second):
		return nil, f.orch.failure(errors.New("does not end"))
	}
	if !f.orch.cmd.ProcessState.Success() {
		return nil, f.orch.failure(errors.New(f.orch.cmd.ProcessState.String()))
	}
	return parseFloor(f.orch.out.String())
}

// floorClosed drives the floor with its own driver, which keeps it full: the floor itself holds back what is more than
// inFlight.
func floorClosed(ctx context.Context, s *settings, p programs, sv *servers, inFlight int) (sample, error) {
	f, err := startFloor(ctx, s, p, sv, inFlight)
	if err != nil {
		return nil, err
	}
	defer f.stop()
	drive, err := start(s, "floor's driver", nil, p.floor, append(f.flags, "-role", "drive", "-posters", strconv.Itoa(min(inFlight, posters)))...)
	if err != nil {
		return nil, err
	}
	defer drive.kill()
	f.costs.runs(driverProcess, drive.pid())
	spent, err := f.span(ctx)
	if err != nil {
		return nil, err
	}
	out, err := f.end(ctx)
	if err != nil {
		return nil, err
	}
	out.add(s.kept(spent))
	if !s.has(partCost) {
		return out, nil
	}
	drive.kill()
	f.parts.kill()
	sagas, err := f.sagas(ctx)
	if err != nil {
		return nil, err
	}
	whole, err := f.costs.whole(ctx, sagas)
	out.add(whole)
	return out, err
}

// span takes what the floor costs while it measures.
func (f *floor) span(ctx context.Context) (sample, error) {
	settle(ctx, time.Until(f.listening.Add(floorWarmUp)))
	before, err := f.sagas(ctx)
	if err != nil {
		return nil, err
	}
	a, err := f.costs.take(ctx)
	if err != nil {
		return nil, err
	}
	settle(ctx, f.s.measure)
	b, err := f.costs.take(ctx)
	if err != nil {
		return nil, err
	}
	after, err := f.sagas(ctx)
	if err != nil {
		return nil, err
	}
	return f.costs.spent(a, b, after-before, runtime.NumCPU()), nil
}

// sagas is how many sagas' worth of steps the floor has done; one that is under way counts in part.
func (f *floor) sagas(ctx context.Context) (n float64, err error) {
	if err = f.costs.pg.QueryRow(ctx, `SELECT coalesce(sum(step), 0)::float8 / 3 FROM sagas`).Scan(&n); err != nil {
		err = fmt.Errorf("count the floor's sagas: %w", err)
	}
	return n, err
}

// floorOpen drives the floor at a rate. Its driver can't be told when to send, so this process does; completion is what the
// floor says, from when it takes a request.
func floorOpen(ctx context.Context, s *settings, p programs, sv *servers, rate int) (sample, error) {
	f, err := startFloor(ctx, s, p, sv, openFloorInFlight)
	if err != nil {
		return nil, err
	}
	defer f.stop()
	post := newPoster("http://"+f.addr, posters, 0)
	post.floor = true
	defer post.close()
	f.costs.runs(driverProcess, os.Getpid())
	var a, b snapshot
	var failedA, failedB error
	r, err := load.Run(ctx, load.Config{
		Rate: float64(rate), Start: post.start, WarmUp: floorWarmUp - time.Since(f.listening), Duration: s.measure, Drain: time.Second,
		Begin: func() { a, failedA = f.costs.take(ctx) }, End: func() { b, failedB = f.costs.take(ctx) },
	})
	if err = errors.Join(err, failedA, failedB); err != nil {
		return nil, f.orch.failure(err)
	}
	out, err := f.end(ctx)
	if err != nil {
		return nil, err
	}
	out.add(s.kept(f.costs.spent(a, b, float64(r.AllEnded()), runtime.NumCPU())))
	// Accepted is all that this process sees of the floor's sagas.
	out[acceptedP50], out[acceptedP95], out[acceptedP99] = ms(r.ToEnded.P50), ms(r.ToEnded.P95), ms(r.ToEnded.P99)
	out[sentLate], out[leftOut] = ms(r.SentLate.P99), float64(r.LeftOut)
	delete(out, batchEvents)
	delete(out, perSecond) // its span is longer than the load
	return out, nil
}

var floorLine = regexp.MustCompile(`sagas/s=(\S+) avg_batch=(\S+) p50=(\S+) p99=(\S+)`) // what the floor prints at its end

func parseFloor(text string) (sample, error) {
	m := floorLine.FindStringSubmatch(text)
	if m == nil {
		return nil, fmt.Errorf("the floor printed %q", text)
	}
	var errs []error
	number := func(text string) float64 {
		n, err := strconv.ParseFloat(text, 64)
		errs = append(errs, err)
		return n
	}
	span := func(text string) float64 {
		d, err := time.ParseDuration(text)
		errs = append(errs, err)
		return ms(d)
	}
	out := sample{perSecond: number(m[1]), batchEvents: number(m[2]), completedP50: span(m[3]), completedP99: span(m[4])}
	return out, errors.Join(errs...)
}
