package brokertest

import (
	"context"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

func fetchInOrder(s *suite) {
	m := s.Open(s)
	const sagas, each = 6, 3
	for n := range each {
		for k := range sagas {
			s.Append(s, Reply(s.Keys, s.Topics, SagaID(k), n+1))
		}
	}
	next := map[int32]int64{}
	byKey := map[saga.ID][]int{}
	for read := 0; read < sagas*each; {
		some, err := m.Fetch(s.ctx)
		require.NoError(s, err)
		require.NoError(s, s.ctx.Err())
		for _, d := range some {
			require.Equal(s, next[d.Raw.Partition], d.Raw.Offset, "without gaps")
			require.Equal(s, partition(d.Saga), d.Raw.Partition)
			require.Equal(s, saga.Coordinates{Topic: s.Topics.Replies(), Partition: d.Raw.Partition, Offset: d.Raw.Offset}, d.Reply.Record)
			require.Equal(s, "default", d.Tenant)
			require.NotEmpty(s, d.ID)
			require.JSONEq(s, `{"ok":true}`, string(d.Reply.Value))
			next[d.Raw.Partition]++
			byKey[d.Saga] = append(byKey[d.Saga], d.Reply.Attempt)
		}
		m.Mark(some)
		read += len(some)
	}
	require.Len(s, byKey, sagas)
	for id, got := range byKey {
		require.Equal(s, []int{1, 2, 3}, got, "%s", id)
	}
}

func fetchEndsWithItsContext(s *suite) {
	ctx, cancel := context.WithCancel(s.ctx)
	cancel()
	got, err := s.Open(s).Fetch(ctx)
	require.NoError(s, err)
	require.Empty(s, got)
}

func fetchContinuesAtTheMarks(s *suite) {
	s.Append(s, s.replies(SagaID(1), 5)...)
	first := s.Open(s)
	got := s.fetch(first, 5)
	require.Equal(s, []int{1, 2, 3, 4, 5}, attempts(got))
	first.Mark(got[:3])
	first.Mark(got[:3]) // twice is harmless
	s.shut(first)

	second := s.Open(s)
	got = s.fetch(second, 2)
	require.Equal(s, []int{4, 5}, attempts(got))
	second.Mark(got)
	s.shut(second)

	s.Append(s, Reply(s.Keys, s.Topics, SagaID(1), 6))
	require.Equal(s, []int{6}, attempts(s.fetch(s.Open(s), 1)))
}

// S18: the offset is that of the lowest unmarked record, whatever is marked above it.
func fetchReadsAgainFromTheLowestUnmarked(s *suite) {
	s.Append(s, s.replies(SagaID(1), 6)...)
	first := s.Open(s)
	got := s.fetch(first, 6)
	first.Mark(got[3:])
	first.Mark(got[:2]) // the third is left out: 4 to 6 must come again
	s.shut(first)
	require.Equal(s, []int{3, 4, 5, 6}, attempts(s.fetch(s.Open(s), 4)))
}

func fetchStopsFarAhead(s *suite) {
	m := s.Open(s)
	s.Append(s, s.replies(SagaID(1), MaxAhead+6)...)
	got := s.fetch(m, MaxAhead)
	other := elsewhere(SagaID(1))
	s.Append(s, Reply(s.Keys, s.Topics, other, 1))
	require.Equal(s, other, s.fetch(m, 1)[0].Saga, "another partition is read on; this one is not")
	m.Mark(got[1:]) // the first is still in the way
	s.Append(s, Reply(s.Keys, s.Topics, other, 2))
	require.Equal(s, other, s.fetch(m, 1)[0].Saga)
	m.Mark(got[:1])
	var want []int
	for n := range 6 {
		want = append(want, MaxAhead+1+n)
	}
	require.Equal(s, want, attempts(s.fetch(m, 6)))
}

func fetchNewGroupBeginsAtTheOldest(s *suite) {
	s.Append(s, s.replies(SagaID(1), 2)...)
	m := s.Open(s)
	require.Equal(s, []int{1, 2}, attempts(s.fetch(m, 2)))
}

// S18: an offset that the log does not have means the oldest record, never the newest.
func fetchOffsetOutOfRange(s *suite) {
	s.Append(s, s.replies(SagaID(1), 2)...)
	before := s.Open(s)
	before.Mark(s.fetch(before, 2))
	s.shut(before)
	s.Commit(s, partition(SagaID(1)), 1000) // beyond the end: as after a truncation
	require.Equal(s, []int{1, 2}, attempts(s.fetch(s.Open(s), 2)))
}

func fetchMembersShare(s *suite) {
	one := s.Open(s)
	s.await(one)
	two := s.Open(s)
	s.await(one, two)
	const sagas = 20
	for n := range sagas {
		s.Append(s, Reply(s.Keys, s.Topics, SagaID(n), 1))
	}
	seen := map[saga.ID]bool{}
	owner := map[int32]int{}
	for len(seen) < sagas {
		for i, m := range []Member{one, two} {
			list := s.glance(m)
			for _, d := range list {
				require.False(s, seen[d.Saga], "nobody reads what another has read")
				seen[d.Saga] = true
				if before, ok := owner[d.Raw.Partition]; ok {
					require.Equal(s, before, i, "a partition belongs to one member")
				}
				owner[d.Raw.Partition] = i
			}
			m.Mark(list)
		}
	}
	require.Len(s, owner, Partitions)
}

// A member's marks end with its assignment: what it had not marked by then is read again, whoever has the partition.
func markOfAnOlderAssignment(s *suite) {
	one := s.Open(s)
	s.await(one)
	s.Append(s, s.replies(SagaID(1), 3)...)
	old := s.fetch(one, 3)
	two := s.Open(s)
	again := s.await(one, two)
	one.Mark(old)
	members := []Member{one, two}
	for len(again) < len(old) {
		for _, m := range members {
			again = append(again, s.glance(m)...)
		}
	}
	require.Equal(s, []int{1, 2, 3}, attempts(again))
	s.shut(one)
	s.shut(two)
	require.Equal(s, []int{1, 2, 3}, attempts(s.fetch(s.Open(s), 3)), "the old marks moved no offset")
}

func fetchAfterAway(s *suite) {
	m := s.Open(s)
	s.Append(s, s.replies(SagaID(1), 1)...)
	m.Mark(s.fetch(m, 1))
	s.Stop(s)
	require.Empty(s, s.glance(m))
	s.Start(s)
	s.Append(s, Reply(s.Keys, s.Topics, SagaID(1), 2))
	got := s.fetch(m, 1)
	if got[0].Reply.Attempt == 1 { // its offset may not have been committed any more
		got = s.fetch(m, 1)
	}
	require.Equal(s, []int{2}, attempts(got))
}

// L5: poison delays only itself, and comes out as it went in.
func fetchPoison(s *suite) {
	m := s.Open(s)
	cases := PoisonCases()
	good, left := 0, map[string]Poisoned{}
	for _, c := range cases {
		r := Reply(s.Keys, s.Topics, SagaID(1), 1)
		c.Spoil(&r)
		s.Append(s, r, Reply(s.Keys, s.Topics, SagaID(1), 1))
		left[c.Name] = Poisoned{c, r}
	}
	for good < len(cases) || len(left) > 0 {
		list, err := m.Fetch(s.ctx)
		require.NoError(s, err)
		require.NoError(s, s.ctx.Err(), "%d good ones came, and these did not come out as they went in: %v", good, left)
		for _, d := range list {
			if d.Poison == nil {
				good++
				continue
			}
			for name, p := range left {
				if p.Matches(d) {
					p.Check(s, d)
					delete(left, name)
					break
				}
			}
		}
		m.Mark(list)
	}
	require.Equal(s, len(cases), good)
}

// What is marked is not read again, poison or not.
func fetchPoisonOnce(s *suite) {
	first := s.Open(s)
	r := Reply(s.Keys, s.Topics, SagaID(1), 1)
	r.Headers = nil
	s.Append(s, r)
	got := s.fetch(first, 1)
	require.NotNil(s, got[0].Poison)
	require.Equal(s, orchestrator.Delivery{Poison: got[0].Poison, Raw: got[0].Raw, Ack: got[0].Ack}, got[0], "nothing is claimed that nothing proves")
	first.Mark(got)
	s.shut(first)
	s.Append(s, Reply(s.Keys, s.Topics, SagaID(1), 2))
	require.Equal(s, []int{2}, attempts(s.fetch(s.Open(s), 1)))
}
