package sim

import "time"

// Fault is a kind of fault that the world can make happen.
type Fault string

// The kinds of faults. Each is drawn where the world asks hits about it.
const (
	// Of replicas.
	FaultKill       Fault = "kill"                 // a replica dies in a port call and comes back
	FaultKillRare   Fault = "kill at a rare call"  // the same, at one of the calls that come seldom
	FaultKillAll    Fault = "kill all"             // all replicas die at once
	FaultFreeze     Fault = "freeze"               // a replica stands still for up to 2 min and goes on with what it knew (SIGSTOP)
	FaultDrain      Fault = "drain"                // a replica is told to end, and starts again when it has (SIGTERM)
	FaultNoStore    Fault = "cut off from store"   // a replica reaches the database no more, for up to 20 s
	FaultNoBroker   Fault = "cut off from broker"  // a replica reaches the broker no more, for up to 20 s
	FaultNodeClock  Fault = "clock of a replica"   // up to 1 h off from its start on, and up to 5 % fast or slow
	FaultHintLost   Fault = "hint lost"            // a worker is not woken and goes on when its poll interval has passed (L6)
	FaultStoreFails Fault = "store fails"          // a call of the store fails before it does anything
	FaultAnswerLost Fault = "answer of store lost" // a call of the store does what it should and answers an error
	FaultStoreSlow  Fault = "store slow"           // a call of the store takes up to 10 s: a full pool, a slow query

	// Of the database.
	FaultStatement       Fault = "statement fails"              // one statement of a commit fails, and with it the transaction
	FaultConflict        Fault = "serialization failure"        // a commit is refused: 40001, 40P01
	FaultSessionEnded    Fault = "session ended"                // the database ends a session with a transaction open
	FaultRowHeld         Fault = "row held"                     // a foreign session has a saga's row locked for up to 3 s
	FaultKeyHeld         Fault = "key held"                     // a foreign session has a key inserted for up to 3 s
	FaultCommitLostThere Fault = "commit lost on the way there" // unknown, and it did not happen
	FaultCommitLostBack  Fault = "commit lost on the way back"  // unknown, and it did
	FaultCommitLate      Fault = "commit late"                  // unknown, and it happens up to 3 s later, if it then may
	FaultRestart         Fault = "database restart"             // every session ends, and none begins for up to 15 s
	FaultFailover        Fault = "database failover"            // to the synchronous standby, whose clock is another one
	FaultClockForward    Fault = "database clock forward"       // by up to 10 min
	FaultClockBack       Fault = "database clock back"          // by up to 10 min

	// Of the broker.
	FaultAckLost        Fault = "ack lost"         // a record is appended, its acknowledgement is not
	FaultRecordLost     Fault = "record lost"      // a record is not appended, and nobody knows
	FaultRecordTwice    Fault = "record twice"     // a record is appended twice
	FaultRecordLate     Fault = "record late"      // nobody knows of a record, and it is appended up to 20 s later
	FaultTooLarge       Fault = "record too large" // a command is refused for good, until the world is calm
	FaultFetchFails     Fault = "fetch fails"
	FaultReplySpoiled   Fault = "reply spoiled" // damaged so that nobody may apply it, beside the good one or in its place
	FaultTokenSpoiled   Fault = "token spoiled" // of a reply: an operator can vouch for it
	FaultReplyForged    Fault = "reply forged"  // beside it comes one to a command that was never sent, with a token that is right
	FaultBrokerAway     Fault = "broker away"   // for up to 2 min
	FaultLeaderChange   Fault = "leader change" // a partition cannot be reached for up to 15 s
	FaultMemberCutOff   Fault = "member cut off"
	FaultRebalanceStorm Fault = "rebalance storm"
	FaultOffsetsLost    Fault = "offsets lost"
	FaultTruncated      Fault = "log truncated"
	FaultTopicAnew      Fault = "topic made anew" // the reply topic, empty

	// Of participants.
	FaultReplyTwice       Fault = "reply twice"                 // a participant answers twice
	FaultDiesBefore       Fault = "participant dies before"     // before its transaction
	FaultDiesAfter        Fault = "participant dies after"      // between its effect and its reply
	FaultSilent           Fault = "participant is silent"       // an answer never comes
	FaultParticipantFails Fault = "participant fails"           // answers failed
	FaultDeliveryLate     Fault = "delivery late"               // a command arrives up to 20 s late
	FaultReplyLate        Fault = "reply late"                  // a reply arrives up to 15 s late
	FaultReplyVeryLate    Fault = "reply very late"             // a reply arrives 2 to 22 minutes late
	FaultParticipantDown  Fault = "participant down"            // it takes nothing for 5 to 65 s
	FaultKeepsOpen        Fault = "old delivery kept open"      // its transaction stays open while others of its step arrive
	FaultDiesOpen         Fault = "participant dies open"       // within that transaction, or between a provider's effect and its claim
	FaultHeartbeats       Fault = "heartbeats"                  // it says that it is at it
	FaultAnswersUnknown   Fault = "answers unknown"             // to an execute or a compensate
	FaultRetryAfter       Fault = "retry after"                 // with failed
	FaultBadOutput        Fault = "bad output"                  // one that breaks `returns`
	FaultProviderUnsure   Fault = "provider unsure"             // it cannot say what became of a call
	FaultLieFlip          Fault = "lie: the other outcome"      // a participant answers the opposite of what is so
	FaultLieTwice         Fault = "lie: both outcomes"          // a second answer contradicts the first
	FaultLieForged        Fault = "lie: an answer nobody asked" // of another step, verb, edition or attempt, with a token that fits
	FaultTokenForged      Fault = "lie: a token that fits not"  // an answer for what it has no token for
	FaultHold             Fault = "hold"                        // operators stop something for up to 41 s
	FaultHoldLong         Fault = "hold of 16 minutes"          // so that attention is raised
	FaultHoldRate         Fault = "hold released at a rate"     // sagas are let go over up to 40 s
	FaultHoldTries        Fault = "hold that tries"             // one on a participant is a breaker, which may open again
	FaultLimit            Fault = "limit"                       // operators bound a definition or a participant for up to 2 minutes
	FaultRedrive          Fault = "redrive"                     // operators redrive or discard what is in quarantine
	FaultOperation        Fault = "operation"                   // operators do one action with many sagas
)

// kinds are all faults, each with its mean chance at one opportunity of a seed that has it at all.
var kinds = []struct {
	fault  Fault
	chance float64
}{
	{FaultKill, 0.001},
	{FaultKillRare, 0.03},
	{FaultStoreFails, 0.02},
	{FaultCommitLostThere, 0.05},
	{FaultCommitLostBack, 0.05},
	{FaultAckLost, 0.05},
	{FaultRecordLost, 0.05},
	{FaultRecordTwice, 0.2},
	{FaultRecordLate, 0.05},
	{FaultTooLarge, 0.01},
	{FaultFetchFails, 0.05},
	{FaultReplySpoiled, 0.05},
	{FaultTokenSpoiled, 0.04},
	{FaultReplyForged, 0.05},
	{FaultBrokerAway, 0.02},
	{FaultLeaderChange, 0.05},
	{FaultMemberCutOff, 0.05},
	{FaultRebalanceStorm, 0.02},
	{FaultOffsetsLost, 0.02},
	{FaultTruncated, 0.05},
	{FaultTopicAnew, 0.02},
	{FaultReplyTwice, 0.2},
	{FaultDiesBefore, 0.1},
	{FaultDiesAfter, 0.1},
	{FaultSilent, 0.05},
	{FaultParticipantFails, 0.2},
	{FaultDeliveryLate, 0.1},
	{FaultReplyLate, 0.1},
	{FaultReplyVeryLate, 0.002},
	{FaultParticipantDown, 0.01},
	{FaultKeepsOpen, 0.06},
	{FaultDiesOpen, 0.4},
	{FaultHeartbeats, 0.04},
	{FaultAnswersUnknown, 0.03},
	{FaultRetryAfter, 0.3},
	{FaultBadOutput, 0.03},
	{FaultProviderUnsure, 0.4},
	{FaultLieFlip, 0.01},
	{FaultLieTwice, 0.02},
	{FaultLieForged, 0.03},
	{FaultTokenForged, 0.05},
	{FaultHold, 0.3},
	{FaultHoldLong, 0.1},
	{FaultHoldRate, 0.5},
	{FaultHoldTries, 0.5},
	{FaultLimit, 0.3},
	{FaultRedrive, 0.5},
	{FaultOperation, 0.15},
	{FaultKillAll, 0.02},
	{FaultFreeze, 0.05},
	{FaultDrain, 0.05},
	{FaultNoStore, 0.05},
	{FaultNoBroker, 0.05},
	{FaultNodeClock, 0.5},
	{FaultHintLost, 0.2},
	{FaultAnswerLost, 0.02},
	{FaultStoreSlow, 0.01},
	{FaultStatement, 0.01},
	{FaultConflict, 0.03},
	{FaultSessionEnded, 0.03},
	{FaultRowHeld, 0.03},
	{FaultKeyHeld, 0.1},
	{FaultCommitLate, 0.03},
	{FaultRestart, 0.03},
	{FaultFailover, 0.02},
	{FaultClockForward, 0.03},
	{FaultClockBack, 0.03},
}

// Faults are all kinds.
func Faults() []Fault {
	out := make([]Fault, len(kinds))
	for i, k := range kinds {
		out[i] = k.fault
	}
	return out
}

// Hit is a fault that happened: at the n-th opportunity of its kind, from 1.
type Hit struct {
	Kind Fault  `json:"kind"`
	Nth  uint64 `json:"nth"`
}

// gust is how long fault weather lasts before it changes, in a seed whose faults come in gusts.
const gust = 4 * time.Second

// nemesis decides which faults happen. A seed has a random subset of the kinds (swarm testing), spread evenly or in gusts.
// Whether one happens at the n-th opportunity of its kind follows from seed, kind and n alone (and in gusts from the time), so
// that leaving one fault out moves no other.
type nemesis struct {
	seed   uint64
	calm   bool // nothing happens any more
	gusty  bool
	only   map[Hit]bool // nil: as drawn; else exactly these happen
	states map[Fault]*faultState
	hit    []Hit // what happened, in order
}

type faultState struct {
	salt   uint64
	chance float64 // at one opportunity; 0: the seed does not have this kind
	seen   uint64  // opportunities so far
	hits   int
}

func newNemesis(opt Options) *nemesis {
	n := &nemesis{seed: opt.Seed, calm: opt.Calm || opt.KillAt > 0, gusty: mix(opt.Seed^0x9057)%3 == 0, states: make(map[Fault]*faultState, len(kinds))}
	states := make([]faultState, len(kinds))
	for i, k := range kinds {
		s := &states[i]
		s.salt = mix(opt.Seed ^ nameHash(string(k.fault)))
		if u := unit(mix(s.salt)); u < 0.5 && (opt.Crash == nil || crashFaults()[k.fault]) {
			s.chance = k.chance * (0.2 + 3.2*u)
		}
		n.states[k.fault] = s
	}
	if opt.Only != nil {
		n.only = make(map[Hit]bool, len(opt.Only))
		for _, h := range opt.Only {
			n.only[h] = true
		}
	}
	return n
}

// hits reports whether the fault happens at this opportunity.
func (n *nemesis) hits(f Fault, clock int64) bool {
	s := n.states[f]
	if n.calm || s.chance == 0 && n.only == nil {
		return false
	}
	s.seen++
	if n.only != nil {
		if !n.only[Hit{f, s.seen}] {
			return false
		}
	} else if unit(mix(s.salt+s.seen)) >= s.chance*n.weather(clock) {
		return false
	}
	s.hits++
	n.hit = append(n.hit, Hit{f, s.seen})
	return true
}

// weather is how much more or less likely faults are at a time.
func (n *nemesis) weather(clock int64) float64 {
	switch {
	case !n.gusty:
		return 1
	case mix(n.seed^uint64(clock/int64(gust)))%4 == 0:
		return 3
	}
	return 0.1
}

// size is a number of [0, 1) that belongs to the newest hit of a kind.
func (n *nemesis) size(f Fault) float64 {
	s := n.states[f]
	return unit(mix(mix(s.salt) ^ s.seen))
}

// hits reports whether a fault happens now.
func (w *world) hits(f Fault) bool {
	if !w.nemesis.hits(f, w.clock) {
		return false
	}
	w.note("fault", string(f))
	return true
}

// span is how long the newest fault of a kind lasts: up to limit. It belongs to the fault, like its being there at all.
func (w *world) span(f Fault, limit time.Duration) time.Duration {
	return time.Duration(w.nemesis.size(f) * float64(limit))
}

// mostlyShort is span with a tail: half of what it answers is below an eighth of limit.
func (w *world) mostlyShort(f Fault, limit time.Duration) time.Duration {
	u := w.nemesis.size(f)
	return time.Duration(u * u * u * float64(limit))
}

// nameHash is FNV-1a.
func nameHash(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

// mix is the finalizer of SplitMix64: neighbouring numbers become unrelated ones.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// unit makes a number of [0, 1).
func unit(x uint64) float64 { return float64(x>>11) / (1 << 53) }
