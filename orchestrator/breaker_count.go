package orchestrator

import (
	"slices"
	"time"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// sighting is one answer of a participant, or an attempt that it did not answer in time.
type sighting struct {
	participantKey
	saga   saga.ID
	failed bool // technically, or it timed out; a rejection is an answer as good as any
}

// participantKey names a participant as one tenant sees it.
type participantKey struct{ tenant, participant string }

// sightings adds to seen what an event says about the participants of a saga's steps: before and after are the saga as it was and
// is. An answer that was ignored says nothing.
func sightings(seen []sighting, def *saga.Definition, before, after *saga.Instance, ev saga.Body, outcome saga.Outcome) []sighting {
	if _, replied := ev.(saga.Replied); replied && outcome == saga.Ignored {
		return seen // a duplicate, or too late to say how the participant is now
	}
	see := func(i int, failed bool) {
		seen = append(seen, sighting{participantKey{after.Tenant, def.Steps[i].Participant}, after.ID, failed})
	}
	switch body := ev.(type) {
	case saga.Replied:
		if i := def.StepIndex(body.Step); i >= 0 {
			switch body.Outcome {
			case saga.ReplySucceeded, saga.ReplyRejected:
				see(i, false)
			case saga.ReplyFailed:
				see(i, true)
			case saga.ReplyUnknown:
				if body.Verb != saga.Probe { // to a probe it is an answer that says nothing
					see(i, true)
				}
			case saga.ReplyInProgress:
			}
		}
	case saga.Woken:
		for i := range before.Steps {
			was, is := &before.Steps[i], &after.Steps[i]
			switch was.Status {
			case saga.InFlight: // while aborting it had less time than it was given
				if !before.Aborting && (is.Forward.Attempts > was.Forward.Attempts || is.Status == saga.BackingOff || is.Status == saga.Unknown) {
					see(i, true)
				}
			case saga.Undoing:
				if is.Backward.Attempts > was.Backward.Attempts || is.Status == saga.UndoBackingOff {
					see(i, true)
				}
			default:
			}
		}
	default:
	}
	return seen
}

// tallyParts is into how many parts a window is divided; they leave it one by one.
const tallyParts = 10

// tally counts sightings of one participant within a window.
type tally struct {
	part   time.Duration
	parts  [tallyParts]count
	newest int64 // number of the part that is counted in
}

// count is what was seen within a time.
type count struct {
	good, bad int
	sagas     []saga.ID // that failed, up to as many as are asked for
}

// add counts one sighting at a time; many is how many sagas are to be told apart.
func (t *tally) add(at time.Time, s sighting, many int) {
	t.move(at)
	t.parts[t.newest%tallyParts].add(s, many)
}

// move forgets what has left the window.
func (t *tally) move(at time.Time) {
	now := at.UnixNano() / int64(t.part)
	for k := max(t.newest+1, now-tallyParts+1); k <= now; k++ {
		t.parts[k%tallyParts] = count{}
	}
	t.newest = max(t.newest, now)
}

// sum is what the window holds.
func (t *tally) sum(at time.Time, many int) (all count) {
	t.move(at)
	for _, p := range t.parts {
		all.good += p.good
		all.bad += p.bad
		for _, id := range p.sagas {
			all.remember(id, many)
		}
	}
	return all
}

func (c *count) add(s sighting, many int) {
	if !s.failed {
		c.good++
		return
	}
	c.bad++
	c.remember(s.saga, many)
}

func (c *count) remember(id saga.ID, many int) {
	if len(c.sagas) < many && !slices.Contains(c.sagas, id) {
		c.sagas = append(c.sagas, id)
	}
}

// fails reports whether as large a share of all as given failed.
func (c *count) fails(share float64) bool { return float64(c.bad) >= share*float64(c.good+c.bad) }
