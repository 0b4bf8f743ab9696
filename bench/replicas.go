package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/skaldhq/skald/bench/load"
)

// Changes of the replicas that are measured, in the order in which they are made: the second replica of a pair that stays is joined by a
// third, which leaves in good order, joins again, and is killed.
const (
	changeJoin  = "join"
	changeLeave = "leave"
	changeKill  = "kill"
)

func changes() []string { return []string{changeJoin, changeLeave, changeJoin, changeKill} }

// replicaRounds measures one, two, three replicas, each number first in another round, and then the pauses.
func replicaRounds(ctx context.Context, s *settings, p programs, sv *servers, g *gathering) error {
	s = s.withCosts()
	for round := range s.rounds {
		for i := range s.replicas {
			n := s.replicas[(i+round)%len(s.replicas)]
			out, err := engineReplicas(ctx, s, p, sv, n)
			if err != nil {
				return fmt.Errorf("%d replicas: %w", n, err)
			}
			g.replicas[n] = append(g.replicas[n], out)
			rate, cpu := measureOf(perSecond), measureOf(cpuPrefix+orchestratorProcess)
			fmt.Printf("replicas: %d, round %d/%d: %s %s, %s %s\n", n, round+1, s.rounds, rate.text(out[perSecond]), rate.title, cpu.text(out[cpuPrefix+orchestratorProcess]), cpu.title)
		}
	}
	return replicaChanges(ctx, s, p, sv, g)
}

// withReplicas starts the engine n times, with somebody who sends each its share of the starts.
func withReplicas(ctx context.Context, s *settings, p programs, sv *servers, n int) (*engine, *poster, error) {
	e, err := startEngine(ctx, s, p, sv)
	if err != nil {
		return nil, nil, err
	}
	for range n - 1 {
		if _, err := e.join(ctx); err != nil {
			e.stop()
			return nil, nil, err
		}
	}
	post := newPoster(e.base, min(s.replicasInFlight, posters), 0)
	post.among = &fleet{}
	for _, r := range e.replicas {
		post.among.add(r.base)
	}
	return e, post, nil
}

func engineReplicas(ctx context.Context, s *settings, p programs, sv *servers, n int) (sample, error) {
	e, post, err := withReplicas(ctx, s, p, sv, n)
	if err != nil {
		return nil, err
	}
	defer e.stop()
	if n > 1 && !settle(ctx, rebalanced) {
		return nil, ctx.Err()
	}
	_, out, err := e.drive(ctx, load.Config{InFlight: s.replicasInFlight, Posters: posters}, post)
	delete(out, batchEvents) // these two are of the first replica alone
	delete(out, commitMS)
	return out, err
}

// rebalanced is how long a group takes to settle after replicas started one after the other.
const rebalanced = 5 * time.Second

// replicaChanges keeps a load on two replicas, and looks on while a third comes and goes.
func replicaChanges(ctx context.Context, s *settings, p programs, sv *servers, g *gathering) error {
	e, post, err := withReplicas(ctx, s, p, sv, 2)
	if err != nil {
		return err
	}
	defer e.stop()
	defer post.close()
	var ends timeline
	loading, enough := context.WithCancel(ctx)
	defer enough()
	failed := make(chan error, 1)
	go func() { // ends with loading, and is waited for below
		_, err := load.Run(loading, load.Config{
			InFlight: s.replicasInFlight, Posters: posters, Start: post.start, Watch: ends.watching(watchEvents(e.kafka, e.topics.Events())),
			Duration: 24 * time.Hour, Drain: drainLimit,
		})
		failed <- err
		enough()
	}()
	err = e.disturb(loading, s, post.among, &ends, g)
	enough()
	if loadErr := <-failed; loadErr != nil && ctx.Err() == nil {
		err = loadErr
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// disturb makes every change, s.rounds times.
func (e *engine) disturb(ctx context.Context, s *settings, among *fleet, ends *timeline, g *gathering) error {
	if !settle(ctx, rebalanced+s.observe/2) {
		return ctx.Err()
	}
	var third *replica
	for round := range s.rounds {
		for _, change := range changes() {
			at := time.Now()
			early := ends.between(at.Add(-s.observe/2), at)
			if len(early) == 0 {
				return errors.New("no saga ended before a change of the replicas")
			}
			before := float64(len(early)) / (s.observe / 2).Seconds()
			var err error
			if third, err = e.change(ctx, change, third, among); err != nil {
				return err
			}
			if !settle(ctx, time.Until(at.Add(s.observe))) {
				return ctx.Err()
			}
			p := pauseOf(ends.between(at, at.Add(s.observe)), at, at.Add(s.observe), before, longestGap(early))
			g.pauses[change] = append(g.pauses[change], sample{pauseMS: ms(p.longest), backMS: ms(p.back), perSecond: before})
			fmt.Printf("%s, round %d/%d: nothing ended for %.0f ms, the rate was back after %.0f ms\n", change, round+1, s.rounds, ms(p.longest), ms(p.back))
		}
	}
	return nil
}

// change makes one, and answers the third replica where there is one now.
func (e *engine) change(ctx context.Context, change string, third *replica, among *fleet) (*replica, error) {
	if change == changeJoin {
		third, err := e.join(ctx)
		if err == nil {
			among.add(third.base)
		}
		return third, err
	}
	among.remove(third.base)
	e.leave(third)
	if change == changeKill {
		third.process.kill()
	} else {
		third.process.stop()
	}
	return nil, nil
}
