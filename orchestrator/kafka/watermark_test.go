package kafka

import (
	"testing"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"
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

func TestClaim_RoomComesWithMarks(t *testing.T) {
	t.Parallel()
	session := &markRecorder{}
	cfg := Config{maxBytes: 10}
	cfg.setDefaults()
	c := newClaim(&cfg, session, "topic", 0, 0)
	c.add(0, 9)
	require.False(t, c.full())
	c.add(1, 9)
	require.True(t, c.full())
	require.True(t, c.take())
	require.True(t, c.take())
	c.mark(1)
	<-c.room
	require.False(t, c.full())
	require.Empty(t, session.marks, "0 is not marked yet")
	c.mark(0)
	c.mark(0)
	require.Equal(t, []int64{2}, session.marks)
	<-c.settled()
}
