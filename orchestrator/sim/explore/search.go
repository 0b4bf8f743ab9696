package explore

import (
	"fmt"
	"slices"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// Report says what an exploration saw.
type Report struct {
	World       string
	States      int
	Transitions int
	Instances   int
	Depth       int // of the shortest path to the farthest state
	Resting     int // states where only a fault or a person moves anything
	Table       *Table
	Outcomes    []string // of ended sagas with nothing on its way any more, and of suspended ones
	// Violation is empty, or says what does not hold; Script is the shortest way there.
	Violation string
	Script    string
}

// explorer is one exploration. It is for one goroutine.
type explorer struct {
	world     *World
	codec     *codec
	actors    *actors
	table     *Table
	numbers   map[string]uint32 // of instances, by how they are written
	instances []instance
	decided   map[happening]*verdict
	buffer    []byte

	seen    visited
	parent  []uint32
	move    []uint16 // which of the parent's moves led here
	begins  []uint32 // where a state's free moves begin in freely
	freely  []uint32 // where free moves lead
	good    []bool   // at rest: ended, or suspended with attention
	edges   int
	resting int

	level, next [][]byte // the frontier, written down
	arena       []byte
	from        uint32 // the state that is expanded
	moves       uint16 // made from it so far
	frees       int
	outcomes    map[string]bool
	wondered    map[string]bool // steps about which every event was asked

	violation string
	tell      func(move, *state) // set while a path is told again
}

// limit is how many states a world may have before it is no small world any more.
const limit = 40_000_000

// Explore walks through all states of the world. An error says that the world itself is wrong.
func Explore(w *World) (*Report, error) {
	def, err := w.definition()
	if err != nil {
		return nil, err
	}
	x := newExplorer(w, def)
	x.run()
	r := &Report{
		World: w.Name, States: len(x.parent), Transitions: x.edges, Instances: len(x.instances), Resting: x.resting, Table: x.table,
		Violation: x.violation,
	}
	for o := range x.outcomes {
		r.Outcomes = append(r.Outcomes, o)
	}
	slices.Sort(r.Outcomes)
	if len(x.parent) > 0 {
		r.Depth = len(x.path(uint32(len(x.parent) - 1)))
	}
	if x.violation != "" {
		r.Script = x.script(x.from)
	}
	return r, nil
}

func newExplorer(w *World, def *saga.Definition) *explorer {
	c := newCodec(def)
	return &explorer{
		world: w, codec: c, actors: newActors(w, c), table: newTable(), numbers: map[string]uint32{}, decided: map[happening]*verdict{},
		outcomes: map[string]bool{}, wondered: map[string]bool{},
	}
}

// violated notes the first thing that does not hold: in breadth-first order its path is the shortest.
func (x *explorer) violated(what string) {
	if x.violation == "" {
		x.violation = what
	}
}

func (x *explorer) run() {
	first := x.begin()
	if x.violation != "" {
		return
	}
	x.add(&first)
	for id := uint32(0); len(x.next) > 0; {
		x.level, x.next, x.arena = x.next, nil, nil
		for _, written := range x.level {
			var s state
			s.read(written, len(x.codec.def.Steps))
			x.visit(id, &s)
			if x.violation != "" {
				return
			}
			id++
		}
		if len(x.parent) > limit {
			x.violated(fmt.Sprintf("more than %d states", limit))
			return
		}
	}
	x.begins = append(x.begins, uint32(len(x.freely)))
	x.live()
}

// visit checks a state and tries all that can happen in it.
func (x *explorer) visit(id uint32, s *state) {
	x.from, x.moves, x.frees = id, 0, 0
	x.begins = append(x.begins, uint32(len(x.freely)))
	if wrong := x.compare(s); wrong != "" {
		x.violated(wrong + ": " + x.describe(s))
		return
	}
	in := &x.instances[s.instance]
	x.good = append(x.good, in.terminal || in.asks)
	if x.world.WhatIf != WhatIfNever && !in.questions && s.instance != 0 {
		in.questions = true
		x.whatIfs(s.instance)
	}
	x.expand(s)
	if x.frees > 0 || x.violation != "" {
		return
	}
	x.resting++
	if wrong := x.rests(s); wrong != "" {
		x.violated(wrong)
		return
	}
	x.outcome(s)
}

func (x *explorer) outcome(s *state) {
	in := &x.instances[s.instance]
	switch {
	case in.terminal:
		x.outcomes[in.outcome] = true
	default:
		text := string(in.status)
		for i := range x.codec.def.Steps {
			text += fmt.Sprintf(" %s=%s/%s", x.codec.def.Steps[i].Name, in.steps[i].status, in.steps[i].effect)
		}
		x.outcomes[text] = true
	}
}

// emit takes a state that a move leads to.
func (x *explorer) emit(n *state, m move) {
	if x.violation != "" {
		return
	}
	x.moves++
	if x.tell != nil {
		x.tell(m, n)
		return
	}
	to := x.add(n)
	if to == x.from {
		return
	}
	x.edges++
	if m.free {
		x.frees++
		x.freely = append(x.freely, to)
	}
}

// add numbers a state, and puts it on the frontier if it is new.
func (x *explorer) add(n *state) uint32 {
	if cap(x.arena)-len(x.arena) < 256 {
		x.arena = make([]byte, 0, 1<<20)
	}
	mark := len(x.arena)
	x.arena = n.append(x.arena, len(x.codec.def.Steps))
	written := x.arena[mark:len(x.arena):len(x.arena)]
	id, fresh := x.seen.add(digestOf(written))
	if !fresh {
		x.arena = x.arena[:mark]
		return id
	}
	x.next = append(x.next, written)
	x.parent = append(x.parent, x.from)
	x.move = append(x.move, x.moves-1)
	return id
}

// visited numbers digests in the order in which they are met.
type visited struct {
	digests []digest
	slots   []uint32 // open addressing; a number + 1
}

func (v *visited) add(d digest) (id uint32, fresh bool) {
	if 2*len(v.digests) >= len(v.slots) {
		v.grow()
	}
	mask := uint64(len(v.slots) - 1)
	for i := d[0] & mask; ; i = (i + 1) & mask {
		switch n := v.slots[i]; {
		case n == 0:
			v.digests = append(v.digests, d)
			v.slots[i] = uint32(len(v.digests))
			return uint32(len(v.digests) - 1), true
		case v.digests[n-1] == d:
			return n - 1, false
		}
	}
}

func (v *visited) grow() {
	v.slots = make([]uint32, max(1<<12, 2*len(v.slots)))
	mask := uint64(len(v.slots) - 1)
	for n, d := range v.digests {
		i := d[0] & mask
		for v.slots[i] != 0 {
			i = (i + 1) & mask
		}
		v.slots[i] = uint32(n + 1)
	}
}
