// Package crashpoint names the places where an orchestrator may die, and finds them: a Tap stands between the engine and its
// ports and says when execution is at one of them. The simulation kills a replica there; the real binary, built with the tag
// crashpoints, kills itself. An ordinary build of the binary has nothing of it.
package crashpoint

import (
	"fmt"
	"slices"
	"strings"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// Point is a place where a process may die.
type Point string

// The points. A transaction takes a batch of events at once, so that one transaction may be at points of several groups.
const (
	StartBegin     Point = "start-before-begin"   // a start is taken, nothing of it is sent to the database
	StartInserted  Point = "start-inserted"       // its saga is inserted, in an open transaction
	StartUnknown   Point = "start-commit-unknown" // COMMIT is sent, its answer has not come
	StartCommitted Point = "start-committed"      // committed; neither answered nor published

	ReplyFetched   Point = "reply-fetched"        // replies are read from Kafka
	ReplyBegun     Point = "reply-begun"          // BEGIN is executed
	ReplyLocked    Point = "reply-locked"         // the sagas' rows are locked and loaded
	ReplyUpdated   Point = "reply-updated"        // the instances are updated: these are the inbox
	ReplyHistory   Point = "reply-history"        // the facts are inserted
	ReplyOutbox    Point = "reply-outbox"         // the outbox row is inserted
	ReplyWritten   Point = "reply-before-commit"  // everything is executed but COMMIT
	ReplyUnknown   Point = "reply-commit-unknown" // COMMIT is sent, its answer has not come
	ReplyCommitted Point = "reply-committed"      // committed; nothing is marked
	ReplyMarked    Point = "reply-marked"         // marked; the group's offset is not committed

	RelayTaken     Point = "relay-taken"     // a sweep has moved the retry time of overdue rows on
	RelayProducing Point = "relay-producing" // records are about to be produced
	RelayAppended  Point = "relay-appended"  // records are in Kafka; the engine knows nothing of it
	RelayAcked     Point = "relay-acked"     // acknowledged; the outbox row is not settled
	RelaySettled   Point = "relay-settled"   // the transaction that settles it is committed

	TimerDue       Point = "timer-due"           // sagas are due, by sweep or timer; their transaction has not begun
	TimerWritten   Point = "timer-before-commit" // what follows is executed but for COMMIT
	TimerCommitted Point = "timer-committed"     // committed; neither published nor set anew

	Draining   Point = "draining"    // a shutdown has begun, or is at its end and the group is left
	Migrating  Point = "migrating"   // at startup, between two migrations
	ActAudited Point = "act-audited" // an operator's action and its audit row are executed but for COMMIT
)

// All lists the points in the order of the reference.
func All() []Point {
	return []Point{
		StartBegin, StartInserted, StartCommitted, StartUnknown,
		ReplyFetched, ReplyBegun, ReplyLocked, ReplyUpdated, ReplyHistory, ReplyOutbox, ReplyWritten, ReplyUnknown, ReplyCommitted, ReplyMarked,
		RelayTaken, RelayProducing, RelayAppended, RelayAcked, RelaySettled,
		TimerDue, TimerWritten, TimerCommitted,
		Draining, Migrating, ActAudited,
	}
}

// Phase is where a saga is when a process dies. They exclude one another: attention counts before all others.
type Phase string

// The phases; a saga that has ended is in none.
const (
	Forward      Phase = "forward"
	PivotPending Phase = "pivot-pending" // the pivot's command is out, or backs off
	Compensating Phase = "compensating"
	Attention    Phase = "needs-attention"
)

// AllPhases lists the phases.
func AllPhases() []Phase { return []Phase{Forward, PivotPending, Compensating, Attention} }

// PhaseOf is where a saga is; empty: it has ended.
func PhaseOf(def *saga.Definition, in *saga.Instance) Phase {
	switch {
	case in.Status.Terminal():
		return ""
	case in.Status == saga.Suspended || len(in.Attention) > 0:
		return Attention
	case in.Status == saga.Compensating:
		return Compensating
	}
	if p := def.PivotIndex(); p >= 0 && (in.Steps[p].Status == saga.InFlight || in.Steps[p].Status == saga.BackingOff) {
		return PivotPending
	}
	return Forward
}

// At is a crash to be made: at the N-th time that a process is at Point with a saga in Phase.
type At struct {
	Point Point
	Phase Phase // empty: any
	N     int   // 0 and 1: the first time
}

// Parse reads point[:n[:phase]].
func Parse(text string) (At, error) {
	parts := strings.Split(text, ":")
	a := At{Point: Point(parts[0])}
	if !slices.Contains(All(), a.Point) {
		return At{}, fmt.Errorf("read crash point %q: want one of %v", text, All())
	}
	if len(parts) > 1 && parts[1] != "" {
		if _, err := fmt.Sscanf(parts[1], "%d", &a.N); err != nil || a.N < 1 {
			return At{}, fmt.Errorf("read crash point %q: %q is no number from 1", text, parts[1])
		}
	}
	if len(parts) > 2 {
		a.Phase = Phase(parts[2])
		if !slices.Contains(AllPhases(), a.Phase) {
			return At{}, fmt.Errorf("read crash point %q: want a phase of %v", text, AllPhases())
		}
	}
	if len(parts) > 3 {
		return At{}, fmt.Errorf("read crash point %q: want point[:n[:phase]]", text)
	}
	return a, nil
}

// String is what Parse reads.
func (a At) String() string {
	s := fmt.Sprintf("%s:%d", a.Point, max(a.N, 1))
	if a.Phase != "" {
		s += ":" + string(a.Phase)
	}
	return s
}

// Is reports whether a process that is at p with sagas in the phases is where a is; how often before does not count.
func (a At) Is(p Point, phases []Phase) bool {
	return a.Point == p && (a.Phase == "" || slices.Contains(phases, a.Phase))
}
