package sim

import (
	"slices"
)

// shrinkRuns bounds how many worlds shrinking a failure may take.
const shrinkRuns = 3000

// Shrink looks for a smaller world that breaks the same guarantee: without whole kinds of faults, then with as few single faults
// as it takes (ddmin), then with fewer sagas and replicas. The answer's Options.Only lists the faults that are left; it is the
// failure itself, with all its faults, where nothing can be left out.
func Shrink(f *Failure) *Failure {
	s := &shrinker{best: f}
	if len(f.Options.Only) == 0 && f.Options.KillAt == 0 {
		opt := f.Options
		opt.Only = append([]Hit{}, f.Report.Hits...)
		s.try(opt) // from here on the list counts
	}
	for before := -1; before != s.size(); {
		before = s.size()
		s.dropKinds()
		s.dropFaults()
		s.fewer()
	}
	return s.best
}

type shrinker struct {
	best *Failure
	runs int
}

func (s *shrinker) size() int {
	return len(s.best.Options.Only) + s.best.Options.Sagas + s.best.Options.Replicas
}

// try keeps a world that fails in the same way.
func (s *shrinker) try(opt Options) bool {
	if s.runs++; s.runs > shrinkRuns {
		return false
	}
	_, failure := try(opt)
	if failure == nil || failure.Violation.Guarantee != s.best.Violation.Guarantee {
		return false
	}
	s.best = failure
	return true
}

func (s *shrinker) without(drop func(i int, h Hit) bool) bool {
	opt := s.best.Options
	left := make([]Hit, 0, len(opt.Only))
	for i, h := range opt.Only {
		if !drop(i, h) {
			left = append(left, h)
		}
	}
	opt.Only = left
	return s.try(opt)
}

func (s *shrinker) dropKinds() {
	var present []Fault
	for _, h := range s.best.Options.Only {
		if !slices.Contains(present, h.Kind) {
			present = append(present, h.Kind)
		}
	}
	for _, kind := range present {
		s.without(func(_ int, h Hit) bool { return h.Kind == kind })
	}
}

// dropFaults is ddmin without its complements: chunks of half the list, of a quarter, and so on to single faults.
func (s *shrinker) dropFaults() {
	for chunk := (len(s.best.Options.Only) + 1) / 2; chunk > 0; chunk /= 2 {
		for at := 0; at < len(s.best.Options.Only); {
			if !s.without(func(i int, _ Hit) bool { return i >= at && i < at+chunk }) {
				at += chunk
			}
		}
	}
}

// fewer tries worlds with less going on. Their other draws differ, so that it is luck where they fail in the same way.
func (s *shrinker) fewer() {
	for sagas := 1; sagas < 3; sagas++ {
		for replicas := 1; replicas < 3; replicas++ {
			opt := s.best.Options
			if opt.Sagas > 0 && opt.Replicas > 0 && opt.Sagas+opt.Replicas <= sagas+replicas {
				return
			}
			opt.Sagas, opt.Replicas = sagas, replicas
			if s.try(opt) {
				return
			}
		}
	}
}
