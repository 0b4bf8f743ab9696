package orchestrator_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// fakeGroups answers the same for every participant.
type fakeGroups struct {
	group orchestrator.Group
	err   error
	asked []string
}

func (g *fakeGroups) Group(_ context.Context, participant string) (orchestrator.Group, error) {
	g.asked = append(g.asked, participant)
	return g.group, g.err
}

// away is a group that has read other partitions, and is not there.
func away() orchestrator.Group { return orchestrator.Group{Next: map[int32]int64{7: 3}} }

// outstanding is an engine with a command that is out, which times out after 5 s.
func outstanding(t *testing.T, groups *fakeGroups) (*testBundle, saga.ID) {
	t.Helper()
	b := setup(t, func(cfg *orchestrator.Config) { cfg.Groups = groups })
	id := b.start(errand())
	b.turn() // the receipt
	b.machine.now = b.machine.now.Add(3 * time.Second)
	b.engine.LookAtGroups(t.Context())
	return b, id
}

// expire lets the newest attempt's timeout pass, and answers which attempt is out then.
func (b *testBundle) expire(id saga.ID) int {
	b.t.Helper()
	b.machine.now = b.machine.now.Add(6 * time.Second)
	require.Positive(b.t, b.engine.FireTimers(b.t.Context()), "its timer is due")
	b.turn()
	b.publish()
	b.turn()
	return b.saga(id).Steps[0].Forward.Attempt
}

func TestQueued_IsNeitherSentAgainNorCounted(t *testing.T) {
	t.Parallel()
	groups := &fakeGroups{group: away()}
	b, id := outstanding(t, groups)
	require.Equal(t, []string{"runner"}, groups.asked, "only those that something was sent to are looked at")
	for range 7 { // more than its attempts
		require.Equal(t, 1, b.expire(id), "its participant has not reached it")
		b.engine.LookAtGroups(t.Context())
	}
	leg := b.saga(id).Steps[0].Forward
	require.Equal(t, 1, leg.Sends)
	require.Equal(t, []saga.FactType{saga.SagaStarted, saga.StepStarted}, b.facts(id))

	blocked, err := b.engine.Blocked(t.Context(), b.view(id))
	require.NoError(t, err)
	require.Len(t, blocked, 1)
	require.True(t, blocked[0].Queued)
	require.Equal(t, "Run.v1", blocked[0].Command)
	require.False(t, blocked[0].AckedAt.IsZero())

	groups.group.Next[0] = 1 // it is back, and reads on
	b.engine.LookAtGroups(t.Context())
	require.Equal(t, 2, b.expire(id), "it was read and is not answered: sent again")
}

func TestQueued_RaisesAttentionInTheEnd(t *testing.T) {
	t.Parallel()
	b, id := outstanding(t, &fakeGroups{group: away()})
	for range 12 {
		b.expire(id)
		b.engine.LookAtGroups(t.Context())
	}
	in := b.saga(id)
	require.True(t, in.HasAttention(saga.AttentionSlow, "run"), "a participant that is away for good is nobody's secret")
}

func TestQueued_WhatIsNotKnownTimesOut(t *testing.T) {
	t.Parallel()
	t.Run("the group cannot be read", func(t *testing.T) {
		t.Parallel()
		b, id := outstanding(t, &fakeGroups{err: errors.New("no broker")})
		require.Equal(t, 2, b.expire(id))
	})
	t.Run("it is in a member's hands", func(t *testing.T) {
		t.Parallel()
		b, id := outstanding(t, &fakeGroups{group: orchestrator.Group{Members: 1, Next: map[int32]int64{0: 0}}})
		require.Equal(t, 2, b.expire(id))
	})
	t.Run("the look was before the group can have committed", func(t *testing.T) {
		t.Parallel()
		behind := orchestrator.Group{Members: 1, Next: map[int32]int64{0: -1}}
		b := setup(t, func(cfg *orchestrator.Config) { cfg.Groups = &fakeGroups{group: behind} })
		id := b.start(errand())
		b.turn()
		b.machine.now = b.machine.now.Add(time.Second)
		b.engine.LookAtGroups(t.Context())
		require.Equal(t, 2, b.expire(id))
	})
	t.Run("the look is too old", func(t *testing.T) {
		t.Parallel()
		b, id := outstanding(t, &fakeGroups{group: away()})
		require.Equal(t, 1, b.expire(id))
		b.machine.now = b.machine.now.Add(6 * time.Second)
		require.Equal(t, 2, b.expire(id))
	})
}

func TestGroup_Waits(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		group  orchestrator.Group
		offset int64
		want   bool
	}{
		"read":                                {orchestrator.Group{Next: map[int32]int64{1: 5}}, 4, false},
		"next, nobody there":                  {orchestrator.Group{Next: map[int32]int64{1: 5}}, 5, true},
		"next, a member may have it":          {orchestrator.Group{Next: map[int32]int64{1: 5}, Members: 2}, 5, false},
		"behind the next":                     {orchestrator.Group{Next: map[int32]int64{1: 5}, Members: 2}, 6, true},
		"a partition never committed, away":   {orchestrator.Group{Next: map[int32]int64{2: 5}}, 0, true},
		"a partition never committed, there":  {orchestrator.Group{Next: map[int32]int64{2: 5}, Members: 1}, 0, false},
		"a group that never committed at all": {orchestrator.Group{}, 0, false},
	} {
		require.Equal(t, c.want, c.group.Waits(1, c.offset), name)
	}
}

func TestGroup_Lag(t *testing.T) {
	t.Parallel()
	g := orchestrator.Group{Next: map[int32]int64{0: 5, 1: 9}, End: map[int32]int64{0: 7, 1: 9, 2: 4}}
	require.EqualValues(t, 6, g.Lag())
	behind, known := g.Behind(0, 6)
	require.True(t, known)
	require.EqualValues(t, 1, behind)
	behind, known = g.Behind(2, 3)
	require.True(t, known, "a group that has read other partitions reads this one from its beginning")
	require.EqualValues(t, 3, behind)
	g.Members = 1
	_, known = g.Behind(2, 3)
	require.False(t, known)
	behind, known = g.Behind(2, 0)
	require.True(t, known, "nothing is before the first record")
	require.Zero(t, behind)
}

// Whoever asks about one saga learns how its participant's group is now; whoever lists many takes what was seen lately.
func TestGroup_IsLookedAtAfreshForWhoeverWaits(t *testing.T) {
	t.Parallel()
	groups := &fakeGroups{group: orchestrator.Group{Members: 1}}
	b, _ := outstanding(t, groups)
	groups.group, groups.asked = orchestrator.Group{}, nil
	members := func(limit time.Duration) int {
		g, known := b.engine.Group(t.Context(), "runner", limit)
		require.True(t, known)
		return g.Members
	}
	require.Equal(t, 1, members(time.Second), "seen just now")
	b.machine.now = b.machine.now.Add(time.Second)
	require.Equal(t, 1, members(0))
	require.Empty(t, groups.asked)
	groups.err = errors.New("Kafka is away")
	require.Equal(t, 1, members(time.Second), "what was seen lately is better than nothing")
	groups.err = nil
	require.Equal(t, 0, members(time.Second))
	require.Equal(t, []string{"runner", "runner"}, groups.asked)
	require.Equal(t, 0, members(time.Second))
	require.Len(t, groups.asked, 2, "asked a moment ago")
}
