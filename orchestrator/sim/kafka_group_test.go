package sim

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/brokertest"
	"github.com/skaldhq/skald/participants/wire"
)

// replies puts replies of one saga on the reply topic: to attempts from first to last.
func (c *calmKafka) replies(first, last int) {
	for n := first; n <= last; n++ {
		c.k.append(brokertest.Reply(c.k.ring, wire.Topics{}, brokertest.SagaID(1), n), "")
	}
}

// read fetches for a while and answers the attempts that came.
func (m *calmMember) read(t *testing.T, during time.Duration) (list []orchestrator.Delivery, attempts []int) {
	t.Helper()
	for end := m.w.now.Add(during); m.w.now.Before(end); {
		some, err := m.Fetch(context.Background())
		require.NoError(t, err)
		list = append(list, some...)
	}
	for _, d := range list {
		attempts = append(attempts, d.Reply.Attempt)
	}
	return list, attempts
}

func TestGroup_CrashBeforeTheCommitOfOffsets(t *testing.T) {
	t.Parallel()
	c := newCalmKafka(t)
	c.replies(1, 4)
	m := c.open()
	list, got := m.read(t, time.Second)
	require.Equal(t, []int{1, 2, 3, 4}, got)
	m.Mark(list[:2])
	_, _ = m.read(t, 2*commitEvery)
	m.Mark(list[2:3])
	c.k.group.died(m.r) // marked, and not committed yet
	next := c.open()
	_, got = next.read(t, 20*time.Second)
	require.Equal(t, []int{3, 4}, got)
}

func TestGroup_DeadMemberIsNoticedAfterItsSession(t *testing.T) {
	t.Parallel()
	c := newCalmKafka(t)
	one, two := c.open(), c.open()
	_, _ = one.read(t, 5*time.Second)
	require.Equal(t, partitions, one.Assigned()+two.Assigned())
	for _, m := range []*calmMember{one, two} {
		if m.Assigned() < partitions-1 {
			continue
		}
		other := one
		if m == one {
			other = two
		}
		before := other.Assigned()
		c.k.group.died(m.r)
		_, _ = other.read(t, sessionTimeout-2*heartbeatEvery)
		require.Equal(t, before, other.Assigned(), "nobody knows yet")
		_, _ = other.read(t, 2*heartbeatEvery+revokeFor+heartbeatEvery)
		require.Equal(t, partitions, other.Assigned())
		return
	}
}

func TestGroup_ZombieMovesNothing(t *testing.T) {
	t.Parallel()
	c := newCalmKafka(t)
	zombie := c.open()
	c.replies(1, 2)
	list, got := zombie.read(t, time.Second)
	require.Equal(t, []int{1, 2}, got)
	c.k.group.cutOff(c.k.group.of[zombie.r], time.Minute)
	other := c.open()
	_, got = other.read(t, 15*time.Second)
	require.Equal(t, []int{1, 2}, got, "it was thrown out")
	c.replies(3, 3)
	_, got = zombie.read(t, time.Second)
	require.Equal(t, []int{3}, got, "and reads on")
	zombie.Mark(list)
	_, _ = other.read(t, 10*time.Second)
	require.Equal(t, [partitions]int64{-1, -1, -1}, c.k.group.offsets)
	_, _ = other.read(t, time.Minute)
	require.Equal(t, partitions, zombie.Assigned()+other.Assigned(), "it has come back")
	require.Positive(t, zombie.Assigned())
}

func TestGroup_BeginsAtTheOldestWhereThereIsNoOffset(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(c *calmKafka){
		"OffsetsLost": func(c *calmKafka) { c.k.group.offsets = [partitions]int64{-1, -1, -1} },
		"Truncated": func(c *calmKafka) {
			c.replies(4, 6)
			for i := range c.k.replies.partitions {
				if p := &c.k.replies.partitions[i]; p.end() > 0 {
					p.truncate(5)
				}
			}
		},
		"MadeAnew": func(c *calmKafka) {
			c.k.recreate(c.w.now)
			c.replies(7, 8)
		},
	} {
		want := map[string][]int{"OffsetsLost": {1, 2, 3}, "Truncated": {6}, "MadeAnew": {7, 8}}[name]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCalmKafka(t)
			c.replies(1, 3)
			m := c.open()
			list, _ := m.read(t, time.Second)
			m.Mark(list)
			require.NoError(t, m.Close(t.Context()))
			spoil(c)
			_, got := c.open().read(t, 5*time.Second)
			require.Equal(t, want, got)
		})
	}
}

func TestGroup_TruncatedUnderItsReader(t *testing.T) {
	t.Parallel()
	c := newCalmKafka(t)
	m := c.open()
	_, _ = m.read(t, time.Second)
	c.replies(1, 5)
	for i := range c.k.replies.partitions {
		if p := &c.k.replies.partitions[i]; p.end() > 0 {
			p.truncate(3)
		}
	}
	_, got := m.read(t, 10*time.Second)
	require.Equal(t, []int{4, 5}, got)
}

func TestGroup_StormLetsSomethingThrough(t *testing.T) {
	t.Parallel()
	c := newCalmKafka(t)
	one, two := c.open(), c.open()
	c.k.storm(20)
	seen := map[int]bool{}
	for n := range 10 {
		c.replies(n+1, n+1)
		for _, m := range []*calmMember{one, two} {
			list, got := m.read(t, 2*time.Second)
			m.Mark(list)
			for _, a := range got {
				seen[a] = true
			}
		}
	}
	require.Greater(t, len(seen), 3)
}
