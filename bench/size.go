package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/bench/fill"
	"github.com/skaldhq/skald/bench/load"
)

// sizeWeeks are those over which the stored sagas were started.
const sizeWeeks = 4

// sizing is what the part has come to so far.
type sizing struct {
	empty, filled []sample
	reads         []Read
	scanned       int64
	fillSeconds   float64
	bytes         int64
}

// withCosts are the settings with costs taken, whatever was asked for.
func (s settings) withCosts() *settings {
	s.parts = append(slices.Clone(s.parts), partCost)
	return &s
}

// sizeRounds measures the engine on an empty database and on a filled one, in turn on the same server, and what lists take on the latter.
func sizeRounds(ctx context.Context, s *settings, p programs, sv *servers, g *gathering) error {
	s = s.withCosts()
	dsn, drop, err := sv.database(ctx, "filled")
	if err != nil {
		return err
	}
	defer drop()
	g.size = &sizing{}
	if err := fillDatabase(ctx, s, p, sv, dsn, g.size); err != nil {
		return err
	}
	if err := readSized(ctx, s, p, sv, dsn, g.size); err != nil {
		return fmt.Errorf("lists: %w", err)
	}
	keep := func() {}
	for round := range s.rounds {
		var pair rounds
		err := turns(round, &pair, "empty", "filled",
			func() (sample, error) {
				dsn, drop, err := sv.database(ctx, "engine")
				if err != nil {
					return nil, err
				}
				return engineSized(ctx, s, p, sv, dsn, drop)
			},
			func() (sample, error) {
				if err := sv.exec(ctx, "CHECKPOINT"); err != nil {
					return nil, err
				}
				return engineSized(ctx, s, p, sv, dsn, keep)
			})
		if err != nil {
			return err
		}
		g.size.empty, g.size.filled = append(g.size.empty, pair.floor...), append(g.size.filled, pair.engine...)
		m := measureOf(perSecond)
		fmt.Printf("size, round %d/%d: empty %s | filled %s %s\n", round+1, s.rounds, m.text(pair.floor[0][perSecond]), m.text(pair.engine[0][perSecond]), m.title)
	}
	return nil
}

// fillDatabase fills the database at dsn, whose definitions a running engine takes first.
func fillDatabase(ctx context.Context, s *settings, p programs, sv *servers, dsn string, into *sizing) error {
	e, err := startEngineOn(ctx, s, p, sv, dsn, func() {})
	if err != nil {
		return err
	}
	c, err := client.New(e.base)
	for name, source := range fill.Sources() {
		if err == nil {
			_, _, err = c.PutDefinition(ctx, name, 1, []byte(source), true)
		}
	}
	e.stop()
	if err != nil {
		return fmt.Errorf("register the definitions: %w", err)
	}
	began := time.Now()
	said := began
	err = fill.Run(ctx, fill.Config{DSN: dsn, Stored: s.stored, Waiting: s.waiting, Weeks: sizeWeeks, Progress: func(n int) {
		if time.Since(said) > 10*time.Second || n == s.stored {
			said = time.Now()
			fmt.Printf("%s of %s sagas stored\n", number(float64(n), 0), number(float64(s.stored), 0))
		}
	}})
	if err != nil {
		return fmt.Errorf("fill the database: %w", err)
	}
	into.fillSeconds = time.Since(began).Seconds()
	into.bytes, err = sv.databaseBytes(ctx, dsn)
	return err
}

// engineSized takes what the engine costs while nothing happens, and then its rate.
func engineSized(ctx context.Context, s *settings, p programs, sv *servers, dsn string, drop func()) (sample, error) {
	e, err := startEngineOn(ctx, s, p, sv, dsn, drop)
	if err != nil {
		return nil, err
	}
	defer e.stop()
	idle, err := e.idle(ctx, s.measure)
	if err != nil {
		return nil, err
	}
	_, out, err := e.drive(ctx, load.Config{InFlight: s.sizeInFlight, Posters: posters}, newPoster(e.base, min(s.sizeInFlight, posters), 0))
	if err != nil {
		return nil, err
	}
	out.add(idle)
	return out, nil
}

// idle is what the engine and Postgres take while there is nothing to do but to look for what is due.
func (e *engine) idle(ctx context.Context, span time.Duration) (sample, error) {
	if !settle(ctx, time.Second) { // it has just started
		return nil, ctx.Err()
	}
	before, err := e.costs.take(ctx)
	if err != nil {
		return nil, err
	}
	if !settle(ctx, span) {
		return nil, ctx.Err()
	}
	after, err := e.costs.take(ctx)
	if err != nil {
		return nil, err
	}
	out := sample{}
	for name, key := range map[string]string{orchestratorProcess: idleCPUOrchestrator, postgresProcess: idleCPUPostgres} {
		a, hasBefore := before.cpu[name]
		b, hasAfter := after.cpu[name]
		if hasBefore && hasAfter {
			out[key] = (b - a).Seconds() / after.at.Sub(before.at).Seconds()
		}
	}
	if rss, ok := after.rss[orchestratorProcess]; ok {
		out[idleRSS] = float64(rss)
	}
	return out, nil
}
