package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"time"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/bench/load"
	"github.com/skaldhq/skald/participants/wire"
)

// drainLimit is how long a round waits for its last sagas.
const drainLimit = 30 * time.Second

// engine is the running engine: `skald serve`, once or more often, and the participants, each in a process of its own. This process
// drives it.
type engine struct {
	s            *settings
	program      string // skald's
	env          []string
	kafka        string
	topics       wire.Topics
	base, admin  string     // of the first replica
	server       *process   // the first replica
	replicas     []*replica // all of them
	participants *process
	// participantsProfiles is where they offer their profiles.
	participantsProfiles string
	ready                time.Duration
	costs                *costs // nil: it did not come so far
	sagas                int64  // accepted so far
	dropDatabase         func()
}

// startEngine starts it on a fresh database and returns when it is ready and knows the saga.
func startEngine(ctx context.Context, s *settings, p programs, sv *servers) (*engine, error) {
	dsn, drop, err := sv.database(ctx, "engine")
	if err != nil {
		return nil, err
	}
	return startEngineOn(ctx, s, p, sv, dsn, drop)
}

// startEngineOn starts it on a database, which drop removes when it stops.
func startEngineOn(ctx context.Context, s *settings, p programs, sv *servers, dsn string, drop func()) (_ *engine, err error) {
	e := &engine{s: s, program: p.skald, kafka: sv.kafka, topics: sv.topics(), dropDatabase: drop}
	defer func() {
		if err != nil {
			e.stop()
		}
	}()
	e.env = []string{
		"SKALD_DATABASE_URL=" + dsn, "SKALD_KAFKA_BROKERS=" + sv.kafka, "SKALD_LOG_LEVEL=warn",
		"SKALD_TOPICS_PARTITIONS=" + strconv.Itoa(floorPartitions),
		"SKALD_TOPICS_PREFIX=" + e.topics.Prefix, "SKALD_KAFKA_GROUP=" + e.topics.Prefix + "skald",
	}
	for _, args := range [][]string{{"migrate", "up"}, {"topics", "ensure"}} {
		cmd := exec.CommandContext(ctx, p.skald, args...)
		cmd.Env = append(os.Environ(), e.env...)
		if out, err := cmd.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("skald %v: %w\n%s", args, err, out)
		}
	}
	if e.costs, err = newCosts(ctx, sv, dsn, e.topics.Commands("bench"), e.topics.Replies(), e.topics.Events()); err != nil {
		return nil, err
	}
	return e, e.startProcesses(ctx, p)
}

func (e *engine) startProcesses(ctx context.Context, p programs) error {
	first, err := e.join(ctx)
	if err != nil {
		return err
	}
	e.base, e.admin, e.server, e.ready = first.base, first.admin, first.process, first.ready
	c, err := client.New(e.base)
	if err != nil {
		return err
	}
	if _, _, err := c.PutDefinition(ctx, "three-steps", 1, []byte(plan), true); err != nil {
		return fmt.Errorf("register the definition: %w", err)
	}
	var env []string
	if e.s.profiles != "" {
		addr, err := freeAddr()
		if err != nil {
			return err
		}
		env, e.participantsProfiles = []string{profileAddr + "=" + addr}, "http://"+addr
	}
	if e.participants, err = start(e.s, "participants", env, p.self, "participants", e.kafka, e.topics.Prefix); err != nil {
		return err
	}
	e.costs.runs(participantsProcess, e.participants.pid())
	e.costs.runs(driverProcess, os.Getpid())
	return nil
}

// end stops the processes in good order.
func (e *engine) end() {
	if e.participants != nil {
		e.participants.stop()
	}
	for _, r := range e.replicas {
		r.process.stop()
	}
}

func (e *engine) stop() {
	e.end()
	if e.costs != nil {
		e.costs.close()
	}
	e.dropDatabase()
}

// drive puts a load on it, whose ends are learned from the lifecycle events, and takes what it costs.
func (e *engine) drive(ctx context.Context, cfg load.Config, post *poster) (load.Result, sample, error) {
	defer post.close()
	cfg.Start, cfg.WarmUp, cfg.Duration, cfg.Drain = post.start, e.s.warmUp, e.s.measure, drainLimit
	cfg.Watch = watchEvents(e.kafka, e.topics.Events())
	var a, b snapshot
	var early, late engineMetrics
	var failed error
	note := func(snap *snapshot, metrics *engineMetrics) {
		var err error
		if *metrics, err = scrape(ctx, e.admin+"/metrics"); err == nil {
			*snap, err = e.costs.take(ctx)
		}
		if err != nil && failed == nil {
			failed = err
		}
	}
	profiled := make(chan error, 1)
	cfg.Begin = func() {
		note(&a, &early)
		if e.s.profiles != "" {
			go func() { profiled <- e.profile(ctx, &cfg) }() // waited for below
		} else {
			profiled <- nil
		}
	}
	cfg.End = func() { note(&b, &late) }
	r, err := load.Run(ctx, cfg)
	if err == nil && ctx.Err() == nil {
		failed = errors.Join(failed, <-profiled)
	}
	e.sagas += r.Started
	switch {
	case err != nil:
		return r, nil, e.server.failure(err)
	case ctx.Err() != nil:
		return r, nil, ctx.Err()
	case failed != nil:
		return r, nil, failed
	case r.AllEnded() == 0:
		return r, nil, e.server.failure(fmt.Errorf("no saga ended while it was measured; the first refusal: %w", r.FirstRefusal))
	}
	out := loaded(&r)
	out[readyMS] = ms(e.ready)
	out.add(e.s.kept(e.costs.spent(a, b, float64(r.AllEnded()), runtime.NumCPU())))
	out.add(e.s.kept(early.between(late)))
	return r, out, nil
}

// waited measures one saga at a time whose start waits for the end: nothing stands between the engine's last commit and whoever
// asked, as with the floor.
func (e *engine) waited(ctx context.Context) (sample, error) {
	post := newPoster(e.base, 1, 0).waiting()
	defer post.close()
	r, err := load.Run(ctx, load.Config{InFlight: 1, Start: post.start, WarmUp: e.s.warmUp / 3, Duration: e.s.measure, Drain: drainLimit})
	e.sagas += r.Started
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, e.server.failure(err)
	}
	return sample{waitedRate: r.PerSecond(), waitedP50: ms(r.ToEnded.P50), waitedP95: ms(r.ToEnded.P95), waitedP99: ms(r.ToEnded.P99)}, nil
}

// engineClosed keeps sagas in flight.
func engineClosed(ctx context.Context, s *settings, p programs, sv *servers, inFlight int) (sample, error) {
	e, err := startEngine(ctx, s, p, sv)
	if err != nil {
		return nil, err
	}
	defer e.stop()
	_, out, err := e.drive(ctx, load.Config{InFlight: inFlight, Posters: posters}, newPoster(e.base, min(inFlight, posters), 0))
	if err != nil {
		return nil, err
	}
	if inFlight == 1 {
		alone, err := e.waited(ctx)
		if err != nil {
			return nil, err
		}
		out.add(alone)
	}
	if !s.has(partCost) {
		return out, nil
	}
	e.end()
	whole, err := e.costs.whole(ctx, float64(e.sagas))
	out.add(whole)
	return out, err
}

// engineOpen starts sagas at a rate.
func engineOpen(ctx context.Context, s *settings, p programs, sv *servers, rate int) (sample, error) {
	e, err := startEngine(ctx, s, p, sv)
	if err != nil {
		return nil, err
	}
	defer e.stop()
	r, out, err := e.drive(ctx, load.Config{Rate: float64(rate)}, newPoster(e.base, posters, 0))
	if err != nil {
		return nil, err
	}
	out[sentLate], out[leftOut] = ms(r.SentLate.P99), float64(r.LeftOut)
	return out, nil
}

// engineCompensating measures the happy path and, on the same engine, a load of which a tenth is undone; in turn first.
func engineCompensating(ctx context.Context, s *settings, p programs, sv *servers, undoneFirst bool) (happy, undone sample, err error) {
	e, err := startEngine(ctx, s, p, sv)
	if err != nil {
		return nil, nil, err
	}
	defer e.stop()
	measure := func(share float64) (sample, error) {
		r, out, err := e.drive(ctx, load.Config{InFlight: compensatingInFlight, Posters: posters}, newPoster(e.base, min(compensatingInFlight, posters), share))
		if err != nil {
			return nil, err
		}
		answered := commandsCompleted*r.Ended[client.Completed] + commandsCompensated*r.Ended[client.Compensated]
		out[commands] = float64(answered) / r.Took.Seconds()
		return out, nil
	}
	if undoneFirst {
		if undone, err = measure(compensatingShare); err == nil {
			happy, err = measure(0)
		}
		return happy, undone, err
	}
	if happy, err = measure(0); err == nil {
		undone, err = measure(compensatingShare)
	}
	return happy, undone, err
}
