package sim

import "math"

// Fault is a kind of fault that the world can make happen.
type Fault string

// The kinds of faults. Each is drawn where the world asks hits about it.
const (
	FaultKill             Fault = "kill"                         // a replica dies in a port call and comes back
	FaultStoreFails       Fault = "store fails"                  // a call of the store fails before it does anything
	FaultCommitLostThere  Fault = "commit lost on the way there" // unknown, and it did not happen
	FaultCommitLostBack   Fault = "commit lost on the way back"  // unknown, and it did
	FaultAckLost          Fault = "ack lost"                     // a record is appended, its acknowledgement is not
	FaultRecordLost       Fault = "record lost"                  // a record is not appended, and nobody knows
	FaultRecordTwice      Fault = "record twice"                 // a record is appended twice
	FaultReplyTwice       Fault = "reply twice"                  // a participant answers twice
	FaultDiesBefore       Fault = "participant dies before"      // before its transaction
	FaultDiesAfter        Fault = "participant dies after"       // between its effect and its reply
	FaultSilent           Fault = "participant is silent"        // an answer never comes
	FaultParticipantFails Fault = "participant fails"            // answers failed
	FaultDeliveryLate     Fault = "delivery late"                // a command arrives up to 20 s late
	FaultReplyLate        Fault = "reply late"                   // a reply arrives up to 15 s late
)

// kinds are all faults, each with its mean chance at one opportunity of a seed that has it at all.
var kinds = []struct {
	fault  Fault
	chance float64
}{
	{FaultKill, 0.002},
	{FaultStoreFails, 0.02},
	{FaultCommitLostThere, 0.05},
	{FaultCommitLostBack, 0.05},
	{FaultAckLost, 0.05},
	{FaultRecordLost, 0.05},
	{FaultRecordTwice, 0.2},
	{FaultReplyTwice, 0.2},
	{FaultDiesBefore, 0.1},
	{FaultDiesAfter, 0.1},
	{FaultSilent, 0.05},
	{FaultParticipantFails, 0.2},
	{FaultDeliveryLate, 0.1},
	{FaultReplyLate, 0.1},
}

// nemesis decides which faults happen. A seed has a random subset of the kinds (swarm testing). Whether one happens at the
// n-th opportunity of its kind follows from seed, kind and n alone, so that leaving one fault out moves no other.
type nemesis struct {
	seed   uint64
	calm   bool // nothing happens any more
	states map[Fault]*faultState
}

type faultState struct {
	salt   uint64
	chance float64 // at one opportunity; 0: the seed does not have this kind
	seen   uint64  // opportunities so far
	hits   int
}

func newNemesis(seed uint64, calm bool) *nemesis {
	n := &nemesis{seed: seed, calm: calm, states: map[Fault]*faultState{}}
	for i, k := range kinds {
		s := &faultState{salt: mix(seed ^ mix(uint64(i)+1))}
		if u := unit(mix(s.salt)); u < 0.5 {
			s.chance = k.chance * (0.2 + 3.2*u)
		}
		n.states[k.fault] = s
	}
	return n
}

// hits reports whether the fault happens at this opportunity.
func (n *nemesis) hits(f Fault) bool {
	s := n.states[f]
	if n.calm || s.chance == 0 {
		return false
	}
	s.seen++
	if unit(mix(s.salt+s.seen)) >= s.chance {
		return false
	}
	s.hits++
	return true
}

// mix is the finalizer of SplitMix64: neighbouring numbers become unrelated ones.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// unit makes a number of [0, 1).
func unit(x uint64) float64 { return float64(x>>11) * math.Pow(2, -53) }
