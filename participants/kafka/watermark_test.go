package kafka

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestWatermark_MarksTheLowestUnfinished(t *testing.T) {
	t.Parallel()
	w := newWatermark(10)
	var marks []int64
	mark := func(next int64) { marks = append(marks, next) }
	for _, offset := range []int64{5, 6, 9, 10} { // offsets may have gaps
		require.NoError(t, w.take(t.Context(), offset))
	}
	w.finish(9, mark)
	w.finish(6, mark)
	require.Empty(t, marks, "5 is not finished: a restart must read it again")
	w.finish(5, mark)
	require.Equal(t, []int64{10}, marks)
	w.finish(5, mark)
	w.finish(77, mark)
	require.Equal(t, []int64{10}, marks, "what is finished or unknown moves nothing")
	w.finish(10, mark)
	require.Equal(t, []int64{10, 11}, marks)
}

func TestWatermark_DistanceIsBounded(t *testing.T) {
	t.Parallel()
	w := newWatermark(2)
	require.NoError(t, w.take(t.Context(), 0))
	require.NoError(t, w.take(t.Context(), 1))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w.finish(1, func(int64) {})
	require.ErrorIs(t, w.take(ctx, 2), context.Canceled, "1 is done, but 0 holds the mark back")
	w.finish(0, func(int64) {})
	require.NoError(t, w.take(t.Context(), 2))
}

func TestWatermark_NeverAheadOfTheUnfinished(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 50).Draw(t, "n")
		w := newWatermark(n)
		done := make([]bool, n)
		for i := range n {
			require.NoError(t, w.take(context.Background(), int64(i)))
		}
		seed := rapid.Uint64().Draw(t, "seed")
		last := int64(0)
		for _, i := range rand.New(rand.NewPCG(seed, 0)).Perm(n) {
			done[i] = true
			w.finish(int64(i), func(next int64) {
				require.Greater(t, next, last)
				last = next
			})
			want := int64(0)
			for want < int64(n) && done[want] {
				want++
			}
			require.Equal(t, want, last)
		}
	})
}
