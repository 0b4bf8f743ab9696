package sim

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/brokertest"
	"github.com/skaldhq/skald/orchestrator/saga"
	"github.com/skaldhq/skald/participants/wire"
)

// Each of the broker's invariants is broken by hand, and seen to be broken.
func TestBrokerOracle_Bites(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		guarantee string // "": nothing is wrong
		do        func(t *testing.T, c *calmKafka, m *calmMember)
	}{
		"MarkedWithoutCommit": {"S18", func(t *testing.T, c *calmKafka, m *calmMember) {
			c.replies(1, 1)
			list, _ := m.read(t, time.Second)
			m.Mark(list)
		}},
		"OffsetOverWhatNobodyDealtWith": {"S18", func(_ *testing.T, c *calmKafka, _ *calmMember) {
			c.replies(1, 1)
			p := wire.Partition([]byte(brokertest.SagaID(1).String()), partitions)
			c.k.oracle.offsetMoved(&c.k.replies.partitions[p], int(p), 1)
		}},
		"QuarantinedAndMarked": {"", func(t *testing.T, c *calmKafka, m *calmMember) {
			list := c.garbage(t, m)
			c.k.oracle.committed(m.r, orchestrator.Batch{Quarantine: []orchestrator.Quarantined{*list[0].Poison}})
			m.Mark(list)
			_, _ = m.read(t, 2*commitEvery)
		}},
		"GarbageMarkedOnly": {"S18", func(t *testing.T, c *calmKafka, m *calmMember) { m.Mark(c.garbage(t, m)) }},
		"QuarantinedWithOtherBytes": {"L5", func(t *testing.T, c *calmKafka, m *calmMember) {
			q := *c.garbage(t, m)[0].Poison
			q.Value = append([]byte{}, q.Value[1:]...)
			c.k.oracle.committed(m.r, orchestrator.Batch{Quarantine: []orchestrator.Quarantined{q}})
		}},
		"ForgedAndApplied": {"S9", func(t *testing.T, c *calmKafka, m *calmMember) {
			list := c.garbage(t, m)
			at := saga.Coordinates{Topic: c.k.replies.name, Partition: list[0].Raw.Partition, Offset: list[0].Raw.Offset}
			c.k.oracle.committed(m.r, orchestrator.Batch{Writes: []orchestrator.Write{{Facts: []saga.Fact{{Type: saga.StepSucceeded, Reply: &at}}}}})
		}},
		"NeverPublished": {"S6", func(_ *testing.T, c *calmKafka, m *calmMember) {
			c.promise(m, 1, 2)
			c.k.oracle.appended(event(1))
			c.k.oracle.judge()
		}},
		"PublishedUncommitted": {"S3", func(_ *testing.T, c *calmKafka, _ *calmMember) { c.k.oracle.appended(event(1)) }},
		"OutOfOrder": {"S7", func(_ *testing.T, c *calmKafka, m *calmMember) {
			c.promise(m, 1, 2)
			c.k.oracle.appended(event(2))
		}},
		"OutOfOrderAfterAStall": {"", func(_ *testing.T, c *calmKafka, m *calmMember) {
			c.promise(m, 1, 2)
			c.k.oracle.unknown(event(1))
			c.k.oracle.appended(event(2))
			c.k.oracle.appended(event(1))
			c.k.oracle.judge()
		}},
		"AgainInAnyOrder": {"", func(_ *testing.T, c *calmKafka, m *calmMember) {
			c.promise(m, 1, 2)
			for _, n := range []int64{1, 2, 2, 1} {
				c.k.oracle.appended(event(n))
			}
			c.k.oracle.judge()
		}},
		"EventsWithAHole": {"S6", func(_ *testing.T, c *calmKafka, m *calmMember) {
			facts := []saga.Fact{{Sequence: 1}, {Sequence: 3}}
			c.k.oracle.committed(m.r, orchestrator.Batch{Writes: []orchestrator.Write{{Facts: facts}}})
		}},
		"UnreadToTheEnd": {"L5", func(_ *testing.T, c *calmKafka, _ *calmMember) {
			c.replies(1, 1)
			c.k.oracle.judge()
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := newCalmKafka(t)
			c.do(t, k, k.open())
			if c.guarantee == "" {
				require.Nil(t, k.w.failed)
				return
			}
			require.NotNil(t, k.w.failed)
			require.Equal(t, c.guarantee, k.w.failed.Guarantee, "%v", k.w.failed)
		})
	}
}

// garbage is a record that nobody may apply, as a member read it.
func (c *calmKafka) garbage(t *testing.T, m *calmMember) []orchestrator.Delivery {
	t.Helper()
	r := brokertest.Reply(c.k.ring, wire.Topics{}, brokertest.SagaID(1), 1)
	r.Headers = nil
	c.k.append(r, "no headers")
	list, _ := m.read(t, time.Second)
	require.Len(t, list, 1)
	return list
}

// promise has a transaction commit events of one saga.
func (c *calmKafka) promise(m *calmMember, sequences ...int64) {
	var b orchestrator.Batch
	for _, n := range sequences {
		b.Outbox = append(b.Outbox, *event(n))
	}
	c.k.oracle.committed(m.r, b)
}

func event(sequence int64) *orchestrator.Record {
	return &orchestrator.Record{
		Kind: orchestrator.RecordEvent, Topic: "skald.events", Key: []byte("k"), Saga: brokertest.SagaID(1),
		Headers: []orchestrator.Header{{Key: wire.HeaderSequence, Value: []byte{byte('0' + sequence)}}},
	}
}

// Whatever spoil and forge make is refused by the codec, or asks for what no saga was ever asked.
func TestSpoil_IsPoison(t *testing.T) {
	t.Parallel()
	c := newCalmKafka(t)
	good := brokertest.Reply(c.k.ring, wire.Topics{}, brokertest.SagaID(1), 1)
	require.Nil(t, c.k.codec.Decode(message(&good)).Poison)
	whys := map[string]bool{}
	for which := range 5000 {
		r, why := spoil(good, which*997)
		whys[why] = true
		require.NotNil(t, c.k.codec.Decode(message(&r)).Poison, "%s: %d", why, which*997)
	}
	require.GreaterOrEqual(t, len(whys), 10)
	for which := range 4 {
		r, why := c.k.forge(good, float64(which)/1e6)
		d := c.k.codec.Decode(message(&r))
		require.Nil(t, d.Poison, "%s: its token is right", why)
		require.False(t, d.Saga == brokertest.SagaID(1) && d.Tenant == "default" && d.Reply.Step == "reserve-items" && d.Reply.Edition == 0)
	}
}
