package sagapage

import (
	"slices"
	"time"
)

// scale maps moments to 0..100. Where nothing changes for long the time is folded: what happened in a second before a night of waiting
// would be a line otherwise.
type scale struct {
	points []time.Time // in order
	drawn  []float64   // of each point, 0..1
	folds  []fold
}

// fold is a time that is drawn shorter than it was.
type fold struct {
	From, To float64 // 0..100
	Took     time.Duration
}

const (
	foldFrom  = 2 * time.Second // what is shorter is never folded
	foldTimes = 6               // folded is what is so many times longer than all that is shorter
	foldShare = 0.45            // of which so much is drawn
)

// newScale makes a scale of moments; there are at least two, and they differ.
func newScale(moments []time.Time) *scale {
	points := slices.Clone(moments)
	slices.SortFunc(points, time.Time.Compare)
	points = slices.CompactFunc(points, time.Time.Equal)
	if len(points) == 1 {
		points = append(points, points[0].Add(time.Millisecond))
	}
	order := make([]int, len(points)-1)
	for i := range order {
		order[i] = i
	}
	span := func(i int) time.Duration { return points[i+1].Sub(points[i]) }
	slices.SortStableFunc(order, func(a, b int) int { return int(span(a)/time.Microsecond) - int(span(b)/time.Microsecond) })
	drawn := make([]float64, len(order)) // seconds
	folded := make([]bool, len(order))
	sum := 0.0
	for _, i := range order {
		d := span(i).Seconds()
		if sum > 0 && span(i) > foldFrom && d > foldTimes*sum {
			d, folded[i] = sum*foldShare, true
		}
		drawn[i] = d
		sum += d
	}
	s := &scale{points: points, drawn: make([]float64, len(points))}
	at := 0.0
	for i, d := range drawn {
		s.drawn[i] = at / sum
		at += d
		if folded[i] {
			s.folds = append(s.folds, fold{100 * s.drawn[i], 100 * at / sum, span(i)})
		}
	}
	s.drawn[len(points)-1] = 1
	return s
}

// at is where a moment stands; those outside stand at the ends.
func (s *scale) at(t time.Time) float64 {
	i, found := slices.BinarySearchFunc(s.points, t, time.Time.Compare)
	switch {
	case found:
		return 100 * s.drawn[i]
	case i == 0:
		return 0
	case i == len(s.points):
		return 100
	}
	share := t.Sub(s.points[i-1]).Seconds() / s.points[i].Sub(s.points[i-1]).Seconds()
	return 100 * (s.drawn[i-1] + share*(s.drawn[i]-s.drawn[i-1]))
}

// when is the moment that stands at a place.
func (s *scale) when(at float64) time.Time {
	at /= 100
	i, _ := slices.BinarySearch(s.drawn, at)
	i = min(max(i, 1), len(s.points)-1)
	share := 0.0
	if width := s.drawn[i] - s.drawn[i-1]; width > 0 {
		share = (at - s.drawn[i-1]) / width
	}
	return s.points[i-1].Add(time.Duration(share * float64(s.points[i].Sub(s.points[i-1]))))
}
