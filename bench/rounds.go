package main

import (
	"context"
	"fmt"
	"time"
)

// everyRound runs all parts. What was gathered until an error is kept.
func everyRound(ctx context.Context, s *settings, p programs, sv *servers, g *gathering) error {
	fmt.Printf("%d of each round; about %s\n", s.rounds, s.estimate().Round(10*time.Second))
	for _, n := range s.levels() {
		for round := range s.rounds {
			err := turns(round, of(g.closed, n), "floor", "engine",
				func() (sample, error) { return floorClosed(ctx, s, p, sv, n) },
				func() (sample, error) { return engineClosed(ctx, s, p, sv, n) })
			if err != nil {
				return fmt.Errorf("%d in flight: %w", n, err)
			}
			say(fmt.Sprintf("%5d in flight", n), round, s.rounds, g.closed[n], perSecond, completedP50)
		}
	}
	if s.has(partOpen) {
		for _, n := range s.rates {
			for round := range s.rounds {
				err := turns(round, of(g.open, n), "floor", "engine",
					func() (sample, error) { return floorOpen(ctx, s, p, sv, n) },
					func() (sample, error) { return engineOpen(ctx, s, p, sv, n) })
				if err != nil {
					return fmt.Errorf("%d starts/s: %w", n, err)
				}
				say(fmt.Sprintf("%5d starts/s ", n), round, s.rounds, g.open[n], completedP50, completedP99)
			}
		}
	}
	if s.has(partCompensating) {
		for round := range s.rounds {
			happy, undone, err := engineCompensating(ctx, s, p, sv, round%2 == 1)
			if err != nil {
				return fmt.Errorf("a tenth undone: %w", err)
			}
			g.happy, g.undone = append(g.happy, happy), append(g.undone, undone)
			m := measureOf(commands)
			fmt.Printf("a tenth undone, round %d/%d: %s %s, on the happy path %s\n", round+1, s.rounds, m.text(undone[commands]), m.title, m.text(happy[commands]))
		}
	}
	if s.has(partSize) {
		if err := sizeRounds(ctx, s, p, sv, g); err != nil {
			return fmt.Errorf("size: %w", err)
		}
	}
	if s.has(partReplicas) {
		if err := replicaRounds(ctx, s, p, sv, g); err != nil {
			return fmt.Errorf("replicas: %w", err)
		}
	}
	if s.has(partWatch) {
		if err := watchRounds(ctx, s, p, sv, g); err != nil {
			return fmt.Errorf("watch: %w", err)
		}
	}
	return nil
}

// turns runs both sides, each first in every other round: what the one leaves to the other cancels out.
func turns(round int, into *rounds, first, second string, floor, engine func() (sample, error)) error {
	var f, e sample
	var err error
	if round%2 == 1 {
		if e, err = engine(); err != nil {
			return fmt.Errorf("%s: %w", second, err)
		}
	}
	if f, err = floor(); err != nil {
		return fmt.Errorf("%s: %w", first, err)
	}
	if e == nil {
		if e, err = engine(); err != nil {
			return fmt.Errorf("%s: %w", second, err)
		}
	}
	into.floor, into.engine = append(into.floor, f), append(into.engine, e)
	return nil
}

// say prints a line about a round.
func say(what string, round, of int, pair *rounds, keys ...string) {
	fmt.Printf("%s, round %d/%d:", what, round+1, of)
	for i, side := range [][]sample{pair.floor, pair.engine} {
		fmt.Printf(" %s", []string{"floor", "| engine"}[i])
		for _, key := range keys {
			m := measureOf(key)
			fmt.Printf(" %s %s", m.text(side[len(side)-1][key]), m.title)
		}
	}
	fmt.Println()
}

// fillEach is about how long storing one saga takes.
const fillEach = 300 * time.Microsecond

// estimate is about how long the run takes.
func (s *settings) estimate() time.Duration {
	floor := floorWarmUp + s.measure + 4*time.Second
	engine := s.warmUp + s.measure + 4*time.Second
	each := time.Duration(len(s.levels())) * (floor + engine)
	if s.has(partOpen) {
		each += time.Duration(len(s.rates)) * (floor + engine)
	}
	if s.has(partCompensating) {
		each += 2 * engine
	}
	if s.has(partSize) {
		each += 2 * (engine + s.measure)
	}
	if s.has(partReplicas) {
		each += time.Duration(len(s.replicas))*(engine+rebalanced) + time.Duration(len(changes()))*s.observe
	}
	if s.has(partWatch) {
		each += time.Duration(len(watchLevels())) * engine
	}
	all := time.Duration(s.rounds) * each
	if s.has(partSize) {
		all += time.Duration(s.stored)*fillEach + 50*time.Duration(s.reads)*20*time.Millisecond
	}
	return all
}
