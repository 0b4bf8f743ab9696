package sim

import (
	"context"
	"fmt"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/participants/wire"
)

// groupsReader is what a replica sees of the participants' groups. A participant commits, per partition, what is before the first
// record that it has not dealt with; while it is down nobody is in its group.
type groupsReader struct {
	k *kafka
	r *replica
}

// Group implements orchestrator.Groups.
func (g *groupsReader) Group(_ context.Context, participant string) (orchestrator.Group, error) {
	w := g.k.w
	w.port(g.r, "kafka.group")
	if g.k.away.After(w.now) || g.r.noBroker.After(w.now) || w.hits(FaultFetchFails) {
		return orchestrator.Group{}, fmt.Errorf("read group %s: %w", participant, errConnection)
	}
	group := orchestrator.Group{Next: map[int32]int64{}, End: map[int32]int64{}}
	if !w.actors.downTill[participant].After(w.now) {
		group.Members = 1
	}
	t := g.k.topic(wire.Topics{}.Commands(participant))
	for i := range t.partitions {
		p := &t.partitions[i]
		next := p.start
		for next < p.end() && p.at(next).read {
			next++
		}
		group.End[int32(i)] = p.end()
		if next > 0 {
			group.Next[int32(i)] = next
		}
	}
	return group, nil
}
