package sim

import (
	"slices"
	"time"

	"github.com/skaldhq/skald/orchestrator/internal/watermark"
)

// Of the group, as orchestrator/kafka sets them; offsets follow marks more slowly than there, so that a crash finds more to
// read again.
const (
	sessionTimeout   = 6 * time.Second
	heartbeatEvery   = 1500 * time.Millisecond
	rebalanceTimeout = 10 * time.Second
	revokeFor        = time.Second
	commitEvery      = time.Second
)

// group is the consumer group of the reply topic as its coordinator knows it. It rebalances eagerly: when a member comes, goes
// or falls silent, all give back what they have, and the next generation deals the partitions anew.
type group struct {
	k           *kafka
	generation  int
	rebalancing bool
	round       int // of rebalances, so that what was planned for an older one does nothing
	members     []*member
	of          map[*replica]*member // as each replica sees itself
	offsets     [partitions]int64    // committed; below zero: none
	maxAhead    int
}

// member is one membership of a replica. A replica that was thrown out gets a new one once it has noticed.
type member struct {
	r       *replica
	dead    bool
	joined  bool      // of the rebalance under way
	cut     time.Time // until then nothing passes between it and the coordinator
	session *session  // nil: it has none
}

// session is what a member has in a generation: also one that the coordinator has long given to somebody else.
type session struct {
	m          *member
	generation int
	claims     []*claim
	revoked    bool // nothing more is handed out
	ended      bool // marks are ignored
	out        int  // handed out and not marked
	committing bool // a commit of offsets is planned
}

// claim is a partition of a session.
type claim struct {
	s         *session
	partition int
	low       *watermark.Low
	marked    int64 // may be committed
}

func newGroup(k *kafka) *group {
	g := &group{k: k, of: map[*replica]*member{}, maxAhead: 4 + int(mix(k.w.opt.Seed)%61)}
	for i := range g.offsets {
		g.offsets[i] = -1
	}
	return g
}

// join makes a replica a member; a rebalance follows.
func (g *group) join(r *replica) {
	m := &member{r: r, joined: true}
	g.of[r] = m
	g.members = append(g.members, m)
	g.prepare()
	g.complete()
}

// died is kill -9 of a member: the coordinator notices when its session times out.
func (g *group) died(r *replica) {
	m := g.of[r]
	if m == nil || m.dead {
		return
	}
	m.dead = true
	if m.session != nil {
		m.session.ended = true
	}
	g.k.w.meanwhile(sessionTimeout-time.Duration(g.k.w.sched.Int64N(int64(heartbeatEvery))), func() { g.expire(m) })
}

// leave is a member's own farewell: its marks are committed first.
func (g *group) leave(r *replica) {
	m := g.of[r]
	if m == nil || m.dead {
		return
	}
	g.end(m)
	m.dead = true
	g.remove(m)
}

// cutOff has nothing pass between a member and the coordinator for a while: it is thrown out, goes on with what it has, and its
// commits come to nothing.
func (g *group) cutOff(m *member, d time.Duration) {
	w := g.k.w
	if until := w.now.Add(d); until.After(m.cut) {
		m.cut = until
		w.meanwhile(sessionTimeout, func() {
			if m.cut.After(w.now) {
				g.expire(m)
			}
		})
		w.meanwhile(d, func() { g.notice(m) })
	}
}

// expire throws out a member that has not been heard of. While the coordinator is away no session times out.
func (g *group) expire(m *member) {
	if g.k.away.After(g.k.w.now) {
		g.k.w.meanwhile(g.k.away.Sub(g.k.w.now)+sessionTimeout, func() {
			if m.dead || m.cut.After(g.k.w.now) {
				g.expire(m)
			}
		})
		return
	}
	g.remove(m)
}

func (g *group) remove(m *member) {
	i := slices.Index(g.members, m)
	if i < 0 {
		return
	}
	g.members = slices.Delete(g.members, i, i+1)
	g.prepare()
	g.complete()
}

// notice is a member's heartbeat after it was cut off: one that was thrown out gives up what it thinks it has and joins anew.
func (g *group) notice(m *member) {
	if m.dead || m.cut.After(g.k.w.now) || slices.Contains(g.members, m) || g.of[m.r] != m {
		return
	}
	g.revoke(m)
}

// prepare begins a rebalance: each member learns of it by its next heartbeat.
func (g *group) prepare() {
	if g.rebalancing {
		return
	}
	g.rebalancing = true
	g.round++
	round := g.round
	for _, m := range g.members {
		if m.session == nil {
			m.joined = true
			continue
		}
		m.joined = false
		g.summon(m, round)
	}
	g.k.w.meanwhile(rebalanceTimeout, func() {
		if g.rebalancing && g.round == round {
			g.members = slices.DeleteFunc(g.members, func(m *member) bool {
				if !m.joined { // a heartbeat tells it, once one passes
					g.k.w.meanwhile(max(m.cut.Sub(g.k.w.now), 0)+heartbeatEvery, func() { g.notice(m) })
				}
				return !m.joined
			})
			g.complete()
		}
	})
}

// summon has a member give back its partitions and join, when its next heartbeat tells it to.
func (g *group) summon(m *member, round int) {
	w := g.k.w
	w.meanwhile(time.Duration(w.sched.Int64N(int64(heartbeatEvery))), func() {
		if m.dead || !g.rebalancing || g.round != round || m.cut.After(w.now) {
			if !m.dead && g.rebalancing && g.round == round && m.cut.After(w.now) {
				w.meanwhile(m.cut.Sub(w.now), func() { g.summon(m, round) })
			}
			return
		}
		g.revoke(m)
	})
}

// revoke ends a member's session, and has it join again: it waits a little for what the engine has in hand, so that its offsets
// are in the last commit.
func (g *group) revoke(m *member) {
	s := m.session
	if s == nil {
		g.rejoin(m)
		return
	}
	s.revoked = true
	limit := g.k.w.now.Add(revokeFor)
	var settle func()
	settle = func() {
		switch {
		case m.dead || m.session != s:
		case s.out > 0 && g.k.w.now.Before(limit):
			g.k.w.meanwhile(revokeFor/10, settle)
		default:
			g.end(m)
			g.rejoin(m)
		}
	}
	settle()
}

// rejoin is a member's part in a rebalance; one that was thrown out becomes a member anew.
func (g *group) rejoin(m *member) {
	switch {
	case m.dead || g.of[m.r] != m:
	case slices.Contains(g.members, m):
		m.joined = true
		g.prepare()
		g.complete()
	default:
		g.join(m.r)
	}
}

// end commits what a member has marked and ends its session.
func (g *group) end(m *member) {
	if s := m.session; s != nil {
		g.commit(s)
		s.revoked, s.ended = true, true
		m.session = nil
	}
}

// complete begins the next generation once all members have joined.
func (g *group) complete() {
	if !g.rebalancing || slices.ContainsFunc(g.members, func(m *member) bool { return !m.joined }) {
		return
	}
	g.rebalancing = false
	g.generation++
	g.k.w.note("kafka", "generation")
	for _, m := range g.members {
		if !m.dead {
			m.session = &session{m: m, generation: g.generation}
		}
	}
	for i := range partitions {
		if len(g.members) == 0 {
			return
		}
		m := g.members[(i+g.generation)%len(g.members)]
		if m.dead { // its partitions are read by nobody until its session is over
			continue
		}
		c := &claim{s: m.session, partition: i, low: watermark.New(g.first(i), g.maxAhead, 1<<20), marked: -1}
		m.session.claims = append(m.session.claims, c)
	}
}

// first is where reading a partition begins: at the committed offset, or at the oldest record if there is no such offset or the
// log does not have it; never at the newest (S18).
func (g *group) first(partition int) int64 {
	p := &g.k.replies.partitions[partition]
	if at := g.offsets[partition]; at >= p.start && at <= p.end() {
		return at
	}
	return p.start
}

// planCommit has what is marked committed soon; marks are lost if the member dies before.
func (g *group) planCommit(s *session) {
	if s.committing {
		return
	}
	s.committing = true
	g.k.w.after(commitEvery, func() {
		s.committing = false
		switch {
		case s.m.dead || s.ended:
		case s.m.cut.After(g.k.w.now) || g.k.away.After(g.k.w.now):
			g.planCommit(s)
		default:
			g.commit(s)
		}
	})
}

// commit moves the group's offsets to a session's marks. Those of an older generation, or of who was thrown out, are refused.
func (g *group) commit(s *session) {
	w := g.k.w
	if s.generation != g.generation || !slices.Contains(g.members, s.m) || s.m.cut.After(w.now) || g.k.away.After(w.now) {
		return
	}
	for _, c := range s.claims {
		if c.marked >= 0 {
			g.offsets[c.partition] = c.marked
			g.k.oracle.offsetMoved(&g.k.replies.partitions[c.partition], c.partition, c.marked)
		}
	}
}

// done is the offset below which everything of a partition is dealt with, as far as its owner knows.
func (g *group) done(partition int) int64 {
	for _, m := range g.members {
		if m.session == nil || m.session.revoked || m.session.generation != g.generation {
			continue
		}
		for _, c := range m.session.claims {
			if c.partition == partition {
				return max(c.low.Lowest(), g.k.replies.partitions[partition].start)
			}
		}
	}
	return g.first(partition)
}
