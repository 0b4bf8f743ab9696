package orchestrator

import (
	"encoding/binary"
	"hash/fnv"
	"math/bits"
	"slices"
	"time"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// HoldState is where a hold stands.
type HoldState string

// The states of a hold.
const (
	HoldHolding   HoldState = "holding"   // it stops everything in its scope
	HoldTrying    HoldState = "trying"    // of a breaker: it lets a growing share of sagas through
	HoldReleasing HoldState = "releasing" // it was ended with a rate, and lets sagas go one after the other
	HoldEnded     HoldState = "ended"     // it stops nothing any more
)

// tryOctaves is how often the share of sagas that a breaker lets through doubles while it tries: the first are 1 of 1,024.
const tryOctaves = 10

// State is where the hold stands at a time.
func (h *Hold) State(at time.Time) HoldState {
	over := h.Over()
	switch {
	case !over.IsZero() && !over.After(at):
		return HoldEnded
	case !h.To.IsZero() && !h.To.After(at):
		return HoldReleasing
	case !h.TryFrom.IsZero() && !h.TryFrom.After(at):
		return HoldTrying
	}
	return HoldHolding
}

// Over is when the last saga is let go; zero: nobody knows yet.
func (h *Hold) Over() time.Time {
	var tried, ended time.Time
	if !h.TryFrom.IsZero() {
		tried = h.TryFrom.Add(h.TryFor)
	}
	if !h.To.IsZero() {
		ended = h.To.Add(h.Spread)
	}
	return earliest(earliest(tried, ended), h.RestAt)
}

// EndsFor is when the hold lets a saga go; zero: nobody knows yet. It follows from the hold and the saga's id alone, so that all
// replicas agree on it, whoever of them lives, and that nobody has to let sagas go.
func (h *Hold) EndsFor(id saga.ID) time.Time {
	if h.TryFrom.IsZero() && (h.To.IsZero() || h.Spread == 0) {
		return h.To
	}
	place := h.placeOf(id)
	var tried, ended time.Time
	if !h.TryFrom.IsZero() {
		tried = h.TryFrom.Add(tryAfter(place, h.TryFor))
	}
	if !h.To.IsZero() {
		ended = h.To.Add(part(place, h.Spread))
	}
	return earliest(earliest(tried, ended), h.RestAt)
}

// placeOf is the saga's place in the order in which the hold lets sagas go. It is another one for each hold and each time that a
// breaker opens, so that it is not always the same sagas that try.
func (h *Hold) placeOf(id saga.ID) uint64 {
	sum := fnv.New64a()
	sum.Write(id[:])
	sum.Write(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, uint64(h.From.UnixMicro())), uint64(h.Trips)))
	n := sum.Sum64() // its upper bits hardly depend on what came last
	n = (n ^ n>>30) * 0xbf58476d1ce4e5b9
	n = (n ^ n>>27) * 0x94d049bb133111eb
	return n ^ n>>31
}

// tryAfter is when the saga at a place is let through: of d, each tenth lets as many through as all before it.
func tryAfter(place uint64, d time.Duration) time.Duration {
	octave := bits.LeadingZeros64(place)
	if octave >= tryOctaves {
		return 0
	}
	return (d*time.Duration(tryOctaves-1-octave)/tryOctaves + part(place<<(octave+1), d/tryOctaves)).Truncate(time.Microsecond)
}

// part is d times place, read as a fraction.
func part(place uint64, d time.Duration) time.Duration {
	hi, _ := bits.Mul64(place, uint64(d))
	return time.Duration(hi).Truncate(time.Microsecond)
}

// earliest is the earlier of two times; zero is none.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// HoldsFor are the holds that concern a saga of a definition; those on other participants are left out.
func HoldsFor(holds []Hold, tenant string, id saga.ID, def *saga.Definition) []saga.Hold {
	var out []saga.Hold
	for i := range holds {
		h := &holds[i]
		if !h.concerns(tenant, def) {
			continue
		}
		s := saga.Hold{From: h.From, To: h.EndsFor(id), Reason: h.Reason, What: h.Target(), By: h.By}
		if h.Scope == HoldParticipant {
			s.Participant = h.Name
		}
		if h.Kind == HoldBreaker {
			s.TriedUntil = h.Over()
		}
		out = append(out, s)
	}
	return out
}

// concerns reports whether sagas of a definition, or some of their steps, are in the hold's scope.
func (h *Hold) concerns(tenant string, def *saga.Definition) bool {
	if h.Tenant != tenant && h.Scope != HoldAll {
		return false
	}
	switch h.Scope {
	case HoldSagaType:
		return h.Name == def.Name && (h.Version == 0 || h.Version == def.Version)
	case HoldParticipant:
		return slices.ContainsFunc(def.Steps, func(st saga.Step) bool { return st.Participant == h.Name })
	case HoldTenant, HoldAll:
	}
	return true
}
