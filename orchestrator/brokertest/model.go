package brokertest

import (
	"math/rand/v2"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// groupModel is what a group with one member has of the reply topic, in the fewest words: what is in each partition, and where
// reading stands.
type groupModel [Partitions]struct {
	log    []saga.ID
	next   int          // to be handed out
	lowest int          // that is not marked
	marked map[int]bool // above lowest
}

// due is what the member must get next, per partition.
func (g *groupModel) due() (offsets [Partitions][]int, sum int) {
	for p := range g {
		for at := g[p].next; at < min(len(g[p].log), g[p].lowest+MaxAhead); at++ {
			offsets[p] = append(offsets[p], at)
			sum++
		}
	}
	return offsets, sum
}

func (g *groupModel) mark(partition int32, offset int) {
	p := &g[partition]
	if p.marked[offset] = true; offset < p.lowest {
		return
	}
	for p.marked[p.lowest] {
		p.lowest++
	}
}

// restart has reading begin anew at the lowest that is not marked; marks above it are forgotten.
func (g *groupModel) restart() {
	for p := range g {
		g[p].next, g[p].marked = g[p].lowest, map[int]bool{}
	}
}

// groupAgainstModel runs scripts of appending, reading, marking in any order, and restarting, and compares what is read.
func groupAgainstModel(seed uint64) func(*suite) {
	return func(s *suite) {
		rng := rand.New(rand.NewPCG(seed, 0))
		var g groupModel
		g.restart()
		m := s.Open(s)
		var open []orchestrator.Delivery // not marked
		for range 60 {
			switch draw := rng.IntN(100); {
			case draw < 35:
				for range 1 + rng.IntN(5) {
					id := SagaID(rng.IntN(9))
					s.Append(s, Reply(s.Keys, s.Topics, id, 1))
					g[partition(id)].log = append(g[partition(id)].log, id)
				}
			case draw < 65:
				open = append(open, s.expect(m, &g)...)
			case draw < 92:
				rng.Shuffle(len(open), func(i, j int) { open[i], open[j] = open[j], open[i] })
				n := rng.IntN(len(open) + 1)
				m.Mark(open[:n])
				for _, d := range open[:n] {
					g.mark(d.Raw.Partition, int(d.Raw.Offset))
				}
				open = open[n:]
			default:
				s.shut(m)
				m.Mark(open) // by one that is a member no more
				m, open = s.Open(s), nil
				g.restart()
			}
		}
		s.shut(m)
		g.restart()
		s.expect(s.Open(s), &g)
	}
}

// expect reads what is due: exactly that, per partition in order.
func (s *suite) expect(m Member, g *groupModel) []orchestrator.Delivery {
	s.Helper()
	want, sum := g.due()
	list := s.fetch(m, sum)
	var got [Partitions][]int
	for _, d := range list {
		p, at := d.Raw.Partition, int(d.Raw.Offset)
		got[p] = append(got[p], at)
		require.Equal(s, g[p].log[at], d.Saga)
	}
	require.Equal(s, want, got)
	for p := range g {
		g[p].next += len(want[p])
	}
	return list
}
