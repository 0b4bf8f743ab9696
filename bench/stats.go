package main

import (
	"maps"
	"slices"
)

// Figure is one measure over the rounds.
type Figure struct {
	Median float64   `json:"median"`
	Min    float64   `json:"min"`
	Max    float64   `json:"max"`
	Rounds []float64 `json:"rounds"` // in the order in which they were run
}

// figure is that of at least one value.
func figure(rounds []float64) Figure {
	return Figure{Median: median(rounds), Min: slices.Min(rounds), Max: slices.Max(rounds), Rounds: slices.Clone(rounds)}
}

// median is the middle value, or the mean of the two in the middle.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// sample is what one side came to in one round, by measure.
type sample map[string]float64

// Side is what one side came to, by measure.
type Side map[string]Figure

// side gathers rounds. A measure that some of them lack is taken over the others.
func side(rounds []sample) Side {
	values := map[string][]float64{}
	for _, round := range rounds {
		for key, value := range round {
			values[key] = append(values[key], value)
		}
	}
	out := Side{}
	for key, each := range values {
		out[key] = figure(each)
	}
	return out
}

// ratios are those of the measures that both sides have, round by round: what the machine did to a round it did to both.
func ratios(over, under []sample, keys ...string) Side {
	var rounds []sample
	for i := range min(len(over), len(under)) {
		round := sample{}
		for _, key := range keys {
			a, hasA := over[i][key]
			b, hasB := under[i][key]
			if hasA && hasB && b > 0 {
				round[key] = a / b
			}
		}
		rounds = append(rounds, round)
	}
	return side(rounds)
}

// add puts more measures into a sample.
func (s sample) add(more sample) { maps.Copy(s, more) }
