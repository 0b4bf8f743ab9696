package orchestrator

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// Groups tells how far the consumer groups of participants have come. It is safe for concurrent use, and never part of a
// transaction: what it answers is a few seconds old, or missing.
type Groups interface {
	// Group reads one participant's group. An error means that nothing is known.
	Group(ctx context.Context, participant string) (Group, error)
}

// Group is how far a participant's consumer group has come on its command topic.
type Group struct {
	Members int             // that are in the group now
	Next    map[int32]int64 // by partition, the next offset to be read, as committed; partitions without one are left out
	End     map[int32]int64 // by partition, the offset after the newest record
}

// Lag is how many records the group has not read; of a partition that it never committed, all since its first.
func (g *Group) Lag() int64 {
	var lag int64
	for p, end := range g.End {
		lag += max(0, end-g.Next[p])
	}
	return lag
}

// Behind is how many records before the one at offset the group has not committed, and whether that is known.
func (g *Group) Behind(partition int32, offset int64) (int64, bool) {
	next, ok := g.Next[partition]
	if offset == 0 {
		return 0, true
	}
	if !ok && (g.Members > 0 || len(g.Next) == 0) {
		return 0, false
	}
	return max(0, offset-next), true
}

// waits reports whether the group has certainly not begun with the record at offset. A record that is the next to be committed
// may be in a member's hands: it waits only where nobody is there. A group that has committed other partitions is one that
// reads from the oldest record, so that one it has never committed is unread.
func (g *Group) waits(partition int32, offset int64) bool {
	next, ok := g.Next[partition]
	switch {
	case ok && g.Members == 0:
		return offset >= next
	case ok:
		return offset > next
	}
	return g.Members == 0 && len(g.Next) > 0
}

const (
	groupsEvery = 2 * time.Second
	groupsLimit = 5 * time.Second // of one look at one group
	// groupsFor is how old an answer may be. A group that is not looked at any more is not known to wait.
	groupsFor = 5 * groupsEvery
	// groupsSettle is how much later than the record the look must be: groups commit about once a second, so an earlier look shows
	// what was read long since as unread. Where nobody is in the group, nobody has read it.
	groupsSettle = 2 * time.Second
	// groupsFresh is how old an answer may be for a person who asks about one saga.
	groupsFresh = 500 * time.Millisecond
	// groupsWanted is how long a group is looked at after somebody asked for it.
	groupsWanted = time.Minute
)

// groups looks at the groups of those participants that commands were sent to lately, and knows what it saw. It is how an attempt is
// found to be queued: its participant has not reached it, so it is neither sent again nor counted. What is not known is not queued.
type groups struct {
	port  Groups // nil: nothing is ever known
	clock Clock
	log   *slog.Logger

	mu     sync.Mutex // guards what follows
	wanted map[string]time.Time
	seen   map[string]seenGroup
}

// seenGroup is a group as it was at a time of this replica's clock.
type seenGroup struct {
	Group
	at time.Time
}

func (g *groups) run(ctx context.Context) {
	for ctx.Err() == nil {
		g.look(ctx)
		g.clock.Sleep(ctx, groupsEvery)
	}
}

// look reads every wanted group once.
func (g *groups) look(ctx context.Context) {
	for _, participant := range g.due() {
		at := g.clock.Now() // before the look: it may show what was so when it began
		limited, cancel := context.WithTimeout(ctx, groupsLimit)
		group, err := g.port.Group(limited, participant)
		cancel()
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			g.log.DebugContext(ctx, "a participant's group cannot be looked at", "participant", participant, "error", err)
			continue
		}
		g.mu.Lock()
		g.seen[participant] = seenGroup{group, at}
		g.mu.Unlock()
	}
}

// due lists the wanted groups in order, and forgets those that nobody has asked for lately.
func (g *groups) due() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.clock.Now()
	for participant, until := range g.wanted {
		if now.After(until) {
			delete(g.wanted, participant)
			delete(g.seen, participant)
		}
	}
	return slices.Sorted(maps.Keys(g.wanted))
}

// want has the groups looked at for a while.
func (g *groups) want(participants map[string]struct{}) {
	if g.port == nil || len(participants) == 0 {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	until := g.clock.Now().Add(groupsWanted)
	for p := range participants {
		g.wanted[p] = until
	}
}

// of is what was seen of a group lately.
func (g *groups) of(participant string) (seenGroup, bool) {
	if g.port == nil {
		return seenGroup{}, false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	s, ok := g.seen[participant]
	return s, ok && g.clock.Now().Sub(s.at) <= groupsFor
}

// fill marks the attempts that are queued. sent is that of one saga of def; it is changed in place.
func (g *groups) fill(def *saga.Definition, sent []saga.Sent) {
	if g.port == nil {
		return
	}
	for i := range sent {
		s := &sent[i]
		if s.Unpublished || s.AckedAt.IsZero() || s.Offset < 0 || s.Step >= len(def.Steps) {
			continue
		}
		participant := def.Steps[s.Step].Participant
		seen, ok := g.of(participant)
		after := seen.at.Sub(s.AckedAt)
		s.Queued = ok && (after >= groupsSettle || after > 0 && seen.Members == 0) && seen.waits(s.Partition, s.Offset)
		if s.Queued || !ok { // not known: another replica sent it
			g.want(map[string]struct{}{participant: {}})
		}
	}
}

// Group is how far a participant's group has come. Whoever can wait gets what was seen just now, else a look at it within limit; with a
// limit of 0, or where the look fails, it is what was seen within the last seconds. false: it is not known.
func (e *Engine) Group(ctx context.Context, participant string, limit time.Duration) (Group, bool) {
	e.groups.want(map[string]struct{}{participant: {}})
	seen, ok := e.groups.of(participant)
	at := e.clock.Now()
	if limit <= 0 || e.groups.port == nil || ok && at.Sub(seen.at) <= groupsFresh {
		return seen.Group, ok
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	group, err := e.groups.port.Group(ctx, participant)
	if err != nil {
		return seen.Group, ok
	}
	e.groups.mu.Lock()
	defer e.groups.mu.Unlock()
	e.groups.seen[participant] = seenGroup{group, at}
	return group, true
}
