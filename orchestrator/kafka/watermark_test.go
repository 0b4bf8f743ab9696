package kafka

import (
	"testing"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// markRecorder is a session that keeps what was marked.
type markRecorder struct {
	sarama.ConsumerGroupSession
	marks []int64
}

func (m *markRecorder) MarkOffset(_ string, _ int32, offset int64, _ string) {
	m.marks = append(m.marks, offset)
}

func testClaim() (*claim, *markRecorder) {
	session := &markRecorder{}
	cfg := Config{}
	cfg.setDefaults()
	return newClaim(&cfg, session, "topic", 0, 0), session
}

func TestClaim_IgnoresMarksAfterItsEnd(t *testing.T) {
	t.Parallel()
	c, session := testClaim()
	c.add(0, 1)
	require.True(t, c.take())
	c.revoke()
	require.False(t, c.take(), "nothing more is handed out")
	settled := c.settled()
	c.end()
	c.mark(0)
	require.Empty(t, session.marks)
	select {
	case <-settled:
		require.Fail(t, "an ignored mark settles nothing")
	default:
	}
}

func TestClaim_TakesEachOffsetOnce(t *testing.T) {
	t.Parallel()
	c, session := testClaim()
	require.True(t, c.add(4, 1))
	require.False(t, c.add(4, 1))
	require.False(t, c.add(3, 1))
	c.pass(10)
	require.False(t, c.add(9, 1))
	c.skip(15)
	require.True(t, c.add(14, 0))
	require.True(t, c.add(15, 0))
	for range 3 {
		require.True(t, c.take())
	}
	c.mark(14)
	c.mark(15)
	select {
	case <-c.skipped:
		require.Fail(t, "4 is not marked yet: reading must not begin anew behind it")
	default:
	}
	c.mark(4)
	<-c.skipped
	require.Equal(t, []int64{16}, session.marks)
}

func TestClaim_FullByBytes(t *testing.T) {
	t.Parallel()
	c, _ := testClaim()
	c.maxBytes = 10
	c.add(0, 9)
	require.False(t, c.full())
	c.add(1, 9) // one more than fits is let in: a record above the limit must pass too
	require.True(t, c.full())
	require.True(t, c.take())
	require.True(t, c.take())
	c.mark(1)
	<-c.room
	require.False(t, c.full())
}

// S18: an offset is committed only if everything below it is marked, and as soon as it is.
func TestClaim_CommitsTheHighestOffsetBelowWhichAllIsMarked(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		c, session := testClaim()
		gaps := rapid.SliceOfN(rapid.Int64Range(1, 3), 1, 40).Draw(t, "gaps") // control records and compaction leave gaps
		var offsets []int64
		next := int64(0)
		for _, gap := range gaps {
			next += gap
			c.add(next, 1)
			c.take()
			offsets = append(offsets, next)
		}
		marked := map[int64]bool{}
		for _, offset := range rapid.Permutation(offsets).Draw(t, "order") {
			c.mark(offset)
			marked[offset] = true
			low := int64(-1)
			for _, o := range offsets {
				if !marked[o] {
					break
				}
				low = o + 1
			}
			got := int64(-1)
			if n := len(session.marks); n > 0 {
				got = session.marks[n-1]
			}
			if got != low {
				t.Fatalf("after marking %v of %v: committed %d, want %d", marked, offsets, got, low)
			}
		}
		select {
		case <-c.settled():
		default:
			t.Fatal("all is marked")
		}
	})
}
