// Package brokertest is the suite that every orchestrator.Broker must pass: the Kafka adapter on a broker of the Kafka protocol,
// and the simulated one. So what the simulation sees of Kafka is what production has.
package brokertest

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/participants/wire"
)

// Partitions is how many partitions a fixture's topics have.
const Partitions = 3

// MaxAhead is how many records of a partition a member of a fixture reads beyond its lowest unmarked one.
const MaxAhead = 8

// patience bounds every wait; none takes near as long unless something is broken.
const patience = 40 * time.Second

// Member is a replica's connection: a broker, and a membership of the group that reads replies.
type Member interface {
	orchestrator.Broker
	// Assigned is how many partitions of the reply topic the member has at present.
	Assigned() int
	// Close commits what is marked and leaves the group.
	Close(ctx context.Context) error
}

// Fixture is an installation of its own: empty topics, and a group that nobody else is in.
type Fixture struct {
	Topics wire.Topics
	Keys   *wire.Keyring // what the members verify replies with
	// Open starts a member, which is closed at the end of the test if not before.
	Open func(t testing.TB) Member
	// Append writes records to their topics, in their order, by somebody else than a member.
	Append func(t testing.TB, records ...wire.Record)
	// Records reads a topic from its beginning until it has n records: per partition in order.
	Records func(t testing.TB, topic string, n int) []wire.Record
	// Narrow makes a topic that refuses records above a limit, in bytes.
	Narrow func(t testing.TB, limit int) string
	// Commit puts the group's offset of a partition of the reply topic somewhere, while nobody is a member.
	Commit func(t testing.TB, partition int32, offset int64)
	// Stop has the broker answer nobody until Start; both nil: the suite's cases about that are left out.
	Stop, Start func(t testing.TB)
}

// Run runs the suite; setup makes a new installation each time, on a broker of its own if that is to be stopped.
func Run(t *testing.T, setup func(t *testing.T, own bool) Fixture) {
	for name, test := range cases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test.run(newSuite(t, setup(t, test.own)))
		})
	}
}

type testCase struct {
	own bool // needs a broker of its own
	run func(*suite)
}

func cases() map[string]testCase {
	return map[string]testCase{
		"Publish_SaysWhereRecordsStand":            {run: publishSaysWhere},
		"Publish_KeepsOrderPerKeyAndTopic":         {run: publishKeepsOrder},
		"Publish_KeepsBytes":                       {run: publishKeepsBytes},
		"Publish_RefusesOnlyWhatIsTooLarge":        {run: publishRefusesOnlyWhatIsTooLarge},
		"Publish_UnknownWhileAwayAndThenAcked":     {own: true, run: publishUnknownWhileAway},
		"Fetch_InOrderPerPartition":                {run: fetchInOrder},
		"Fetch_EndsWithItsContext":                 {run: fetchEndsWithItsContext},
		"Fetch_ContinuesAtTheMarksAfterARestart":   {run: fetchContinuesAtTheMarks},
		"Fetch_ReadsAgainFromTheLowestUnmarked":    {run: fetchReadsAgainFromTheLowestUnmarked},
		"Fetch_StopsFarAheadOfItsMarks":            {run: fetchStopsFarAhead},
		"Fetch_NewGroupBeginsAtTheOldest":          {run: fetchNewGroupBeginsAtTheOldest},
		"Fetch_OffsetOutOfRangeBeginsAtTheOldest":  {run: fetchOffsetOutOfRange},
		"Fetch_MembersShareThePartitions":          {run: fetchMembersShare},
		"Fetch_AfterTheBrokerWasAway":              {own: true, run: fetchAfterAway},
		"Mark_OfAnOlderAssignmentIsIgnored":        {run: markOfAnOlderAssignment},
		"Fetch_PoisonComesOutAsItWentIn":           {run: fetchPoison},
		"Fetch_RestartAfterPoisonDoesNotReadAgain": {run: fetchPoisonOnce},
		"Group_AgainstAModel_1":                    {run: groupAgainstModel(1)},
		"Group_AgainstAModel_2":                    {run: groupAgainstModel(2)},
	}
}

// suite is one case's installation.
type suite struct {
	*testing.T
	Fixture
	ctx context.Context
}

func newSuite(t *testing.T, f Fixture) *suite {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return &suite{T: t, Fixture: f, ctx: ctx}
}

// shut closes a member before the end of the test.
func (s *suite) shut(m Member) { require.NoError(s, m.Close(s.ctx)) }

// fetch reads until it has n deliveries, and there must not be more.
func (s *suite) fetch(m Member, n int) []orchestrator.Delivery {
	s.Helper()
	var list []orchestrator.Delivery
	for len(list) < n {
		some, err := m.Fetch(s.ctx)
		require.NoError(s, err)
		require.NoError(s, s.ctx.Err(), "%d of %d deliveries came", len(list), n)
		list = append(list, some...)
	}
	require.Len(s, list, n)
	return list
}

// glance reads what comes within a moment.
func (s *suite) glance(m Member) []orchestrator.Delivery {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, 20*time.Millisecond)
	defer cancel()
	list, err := m.Fetch(ctx)
	require.NoError(s, err)
	require.NoError(s, s.ctx.Err())
	return list
}

// await waits until all partitions are dealt out, to every one of the members, and answers what was read meanwhile.
func (s *suite) await(members ...Member) (read []orchestrator.Delivery) {
	s.Helper()
	for {
		sum, idle := 0, false
		for _, m := range members {
			n := m.Assigned()
			sum, idle = sum+n, idle || n == 0
		}
		if sum == Partitions && !idle {
			return read
		}
		for _, m := range members {
			read = append(read, s.glance(m)...)
		}
	}
}
