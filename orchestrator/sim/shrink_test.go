package sim

import (
	"errors"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// brittle promises that no world has both a statement that fails and a reply that comes twice.
func brittle(r Report) *Violation {
	if r.Faults[FaultStatement].Hits > 0 && r.Faults[FaultReplyTwice].Hits > 0 {
		return &Violation{Guarantee: "S99", At: r.Virtual, Message: "both happened\nas the test wants"}
	}
	return nil
}

// findBrittle answers the first seed that breaks it with a good many faults.
func findBrittle(t *testing.T) *Failure {
	t.Helper()
	for first := uint64(1); ; {
		_, failure := Campaign{First: first, Seeds: 1000, Parallel: 1, Options: Options{Sagas: 2, Replicas: 1, promise: brittle}}.Run()
		require.NotNil(t, failure, "no seed has both faults")
		require.Equal(t, "S99", failure.Violation.Guarantee, "%v", failure)
		if len(failure.Report.Hits) > 10 {
			return failure
		}
		first = failure.Options.Seed + 1
	}
}

func TestShrink_LeavesTheFaultsThatItTakes(t *testing.T) {
	t.Parallel()
	found := findBrittle(t)
	small := Shrink(found)
	require.Equal(t, "S99", small.Violation.Guarantee)
	require.Less(t, len(small.Options.Only), len(found.Report.Hits))
	for i := range small.Options.Only {
		opt := small.Options
		opt.Only = slices.Delete(slices.Clone(opt.Only), i, i+1)
		_, err := Run(opt)
		require.NoError(t, err, "%v could be left out", small.Options.Only[i])
	}
	kinds := map[Fault]bool{}
	for _, h := range small.Options.Only {
		kinds[h.Kind] = true
	}
	require.True(t, kinds[FaultStatement] && kinds[FaultReplyTwice])

	file, err := RegressOf(small).Write(t.TempDir())
	require.NoError(t, err)
	require.Regexp(t, `^s99-seed-\d+\.json$`, filepath.Base(file))
	kept, err := ReadRegress(file)
	require.NoError(t, err)
	require.Equal(t, "both happened", kept.Note)
	opt := kept.Options()
	opt.promise = brittle
	again, err := Run(opt)
	var failure *Failure
	require.ErrorAs(t, err, &failure, "what is kept breaks the same promise")
	require.Equal(t, small.Report.Trace, again.Trace)
	opt.promise = nil
	_, err = Run(opt)
	require.NoError(t, err)
}

func TestCampaign_EndsAtTheLowestSeedThatFails(t *testing.T) {
	t.Parallel()
	promise := func(r Report) *Violation {
		if r.Seed == 17 || r.Seed == 18 || r.Seed > 30 {
			return &Violation{Guarantee: "S99", Message: "it is this seed"}
		}
		return nil
	}
	sum, failure := Campaign{Seeds: 10_000, Parallel: 4, Options: Options{promise: promise}}.Run()
	require.NotNil(t, failure)
	require.Equal(t, uint64(17), failure.Options.Seed)
	require.Less(t, sum.Seeds, 60)
	require.Regexp(t, `(?m)^seed 17: violated: S99 at 0s: it is this seed$`, failure.Error())
	var violation *Violation
	require.True(t, errors.As(failure, &violation))
	require.Regexp(t, `^violated: S99 `, violation.Error())
}

func TestCampaign_TwoRunsOfASeedAreCompared(t *testing.T) {
	t.Parallel()
	_, failure := Campaign{Seeds: 20, Twice: 20}.Run()
	require.Nil(t, failure)
}

func TestSummary_WhatNeverHappenedIsMissing(t *testing.T) {
	t.Parallel()
	var s Summary
	s.Add(Report{Faults: map[Fault]Count{FaultKill: {1, 5}}, Ports: map[string]int{"store.begin": 50_000, "commit.rekey": 1_000, "rare": 3}})
	require.Empty(t, s.Missing(), "a short run need not see everything")
	s.Seeds = enough
	require.Contains(t, s.Missing(), "fault "+string(FaultFreeze))
	require.NotContains(t, s.Missing(), "fault "+string(FaultKill))
	require.Contains(t, s.Missing(), "kill at store.begin")
	require.Contains(t, s.Missing(), "kill at commit.rekey")
	require.NotContains(t, s.Missing(), "kill at rare")
	require.Contains(t, s.Missing(), "saga completed")
}
