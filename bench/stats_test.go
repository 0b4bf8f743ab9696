package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMedian(t *testing.T) {
	t.Parallel()
	require.InDelta(t, 3, median([]float64{9, 1, 3}), 0)
	require.InDelta(t, 2.5, median([]float64{9, 1, 3, 2}), 0, "of an even number the mean of the two in the middle")
	require.InDelta(t, 7, median([]float64{7}), 0)
	values := []float64{3, 1, 2}
	median(values)
	require.Equal(t, []float64{3, 1, 2}, values, "the order of the rounds is kept")
}

func TestFigure(t *testing.T) {
	t.Parallel()
	require.Equal(t, Figure{Median: 4, Min: 1, Max: 9, Rounds: []float64{9, 1, 4}}, figure([]float64{9, 1, 4}))
}

func TestSide_AMeasureThatARoundLacks(t *testing.T) {
	t.Parallel()
	got := side([]sample{{"a": 1, "b": 5}, {"a": 3}})
	require.Equal(t, Side{"a": figure([]float64{1, 3}), "b": figure([]float64{5})}, got)
}

// A machine that is slow for one round is slow for both sides of it: the ratio of the medians would say 1.
func TestRatios_AreTakenWithinTheRound(t *testing.T) {
	t.Parallel()
	floor := []sample{{perSecond: 1000, "only": 1}, {perSecond: 100}, {perSecond: 1000}}
	engine := []sample{{perSecond: 500}, {perSecond: 50}, {perSecond: 1000}}
	got := ratios(engine, floor, perSecond, "only")
	require.Equal(t, Side{perSecond: figure([]float64{0.5, 0.5, 1})}, got)
	require.Empty(t, ratios([]sample{{"x": 1}}, []sample{{"x": 0}}, "x"), "nothing is a multiple of nothing")
}

func TestNumber(t *testing.T) {
	t.Parallel()
	for want, n := range map[string]struct {
		value  float64
		digits int
	}{
		"0": {0, 0}, "999": {999, 0}, "1,000": {999.6, 0}, "12,345,678": {12345678, 0}, "-1,234": {-1234, 0}, "0.65": {0.649, 2},
		"99.99": {99.99, 2}, "1,235": {1234.5678, 2}, "-0.50": {-0.5, 2},
	} {
		require.Equal(t, want, number(n.value, n.digits))
	}
}
