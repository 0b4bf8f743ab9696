package crashpoint

import (
	"maps"
	"slices"
	"sync"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// Phases is where sagas are that live. The zero value knows none. It is safe for concurrent use.
type Phases struct {
	mu   sync.Mutex // guards what follows
	by   map[saga.ID]Phase
	live map[Phase]int // sagas in each
}

// set notes where a saga is; empty: it has ended.
func (s *Phases) set(id saga.ID, p Phase) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.by == nil {
		s.by, s.live = map[saga.ID]Phase{}, map[Phase]int{}
	}
	if old, ok := s.by[id]; ok {
		s.live[old]--
		delete(s.by, id)
	}
	if p != "" {
		s.by[id] = p
		s.live[p]++
	}
}

// of are the phases of the given sagas; none given: of all.
func (s *Phases) of(sagas []saga.ID) []Phase {
	s.mu.Lock()
	defer s.mu.Unlock()
	var in []Phase
	for _, p := range AllPhases() {
		if len(sagas) == 0 && s.live[p] > 0 || slices.ContainsFunc(sagas, func(id saga.ID) bool { return s.by[id] == p }) {
			in = append(in, p)
		}
	}
	return in
}

// Live lists the sagas that live, by id.
func (s *Phases) Live() []saga.ID {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.SortedFunc(maps.Keys(s.by), func(a, b saga.ID) int { return slices.Compare(a[:], b[:]) })
}

// All are the phases in which there is a saga.
func (s *Phases) All() []Phase { return s.of(nil) }
