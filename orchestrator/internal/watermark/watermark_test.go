package watermark_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/skaldhq/skald/orchestrator/internal/watermark"
)

func TestLow_TakesEachOffsetOnce(t *testing.T) {
	t.Parallel()
	l := watermark.New(0, 100, 100)
	require.True(t, l.Add(4, 1))
	require.False(t, l.Add(4, 1))
	require.False(t, l.Add(3, 1))
	l.Pass(10)
	require.False(t, l.Add(9, 1))
	l.Pass(5)
	require.Equal(t, int64(10), l.Next())
	to, first := l.Mark(9)
	require.False(t, first, "passed over, never read")
	require.Zero(t, to)
}

func TestLow_MarksOnce(t *testing.T) {
	t.Parallel()
	l := watermark.New(-1, 100, 100)
	require.True(t, l.Add(7, 1))
	to, first := l.Mark(7)
	require.True(t, first)
	require.Equal(t, int64(8), to)
	_, first = l.Mark(7)
	require.False(t, first)
	require.True(t, l.Add(8, 1))
	l.Forget()
	_, first = l.Mark(8)
	require.False(t, first, "what is forgotten cannot be marked")
}

func TestLow_Full(t *testing.T) {
	t.Parallel()
	l := watermark.New(0, 3, 10)
	l.Add(0, 9)
	require.False(t, l.Full())
	l.Add(1, 9) // one more than fits is let in: a record above the limit must pass too
	require.True(t, l.Full())
	l.Mark(1)
	require.False(t, l.Full(), "by bytes")
	require.Equal(t, int64(0), l.Lowest())
	l.Add(2, 0)
	require.True(t, l.Full(), "marked or not, 0 to 2 stand in the way")
	l.Mark(0)
	require.False(t, l.Full())
	require.Equal(t, int64(2), l.Lowest())
	l.Mark(2)
	require.Equal(t, int64(3), l.Lowest())
}

// S18: an offset is committed only if everything below it is marked, and as soon as it is.
func TestLow_HighestOffsetBelowWhichAllIsMarked(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		l := watermark.New(0, 1000, 1000)
		gaps := rapid.SliceOfN(rapid.Int64Range(1, 3), 1, 40).Draw(t, "gaps") // control records and compaction leave gaps
		var offsets []int64
		next := int64(0)
		for _, gap := range gaps {
			next += gap
			l.Add(next, 1)
			offsets = append(offsets, next)
		}
		marked := map[int64]bool{}
		got := int64(-1)
		for _, offset := range rapid.Permutation(offsets).Draw(t, "order") {
			if to, _ := l.Mark(offset); to > 0 {
				got = to
			}
			marked[offset] = true
			low := int64(-1)
			for _, o := range offsets {
				if !marked[o] {
					break
				}
				low = o + 1
			}
			if got != low {
				t.Fatalf("after marking %v of %v: %d may be committed, want %d", marked, offsets, got, low)
			}
		}
	})
}
