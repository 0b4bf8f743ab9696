package brokertest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"strconv"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/participants/wire"
)

// One answer a record, in order, with its place: murmur2 of the key, as in every SDK, and offsets without gaps.
func publishSaysWhere(s *suite) {
	m := s.Open(s)
	next := map[int32]int64{}
	for call := range 3 {
		var records []orchestrator.Record
		for n := range 10 {
			records = append(records, s.record(SagaID(n), call))
		}
		got := m.Publish(s.ctx, records)
		require.Len(s, got, len(records))
		for i, p := range got {
			require.NoError(s, p.Err)
			require.Equal(s, orchestrator.PublishAcked, p.Outcome)
			require.Equal(s, wire.Partition(records[i].Key, Partitions), p.Partition)
			require.Equal(s, next[p.Partition], p.Offset)
			next[p.Partition]++
			require.False(s, p.At.IsZero())
		}
	}
	require.Empty(s, m.Publish(s.ctx, nil))
}

// S7, without a crash or a stall.
func publishKeepsOrder(s *suite) {
	m := s.Open(s)
	const keys, calls, each = 7, 40, 3
	want := map[string][]string{}
	for call := range calls {
		var records []orchestrator.Record
		for k := range keys {
			for n := range each {
				records = append(records, s.record(SagaID(k), call*each+n))
				key := SagaID(k).String()
				want[key] = append(want[key], strconv.Itoa(call*each+n))
			}
		}
		for _, p := range m.Publish(s.ctx, records) {
			require.Equal(s, orchestrator.PublishAcked, p.Outcome, "%v", p.Err)
		}
	}
	require.Equal(s, want, values(s.Records(s, s.Topics.Events(), keys*calls*each)))
}

// S22: key, value and headers come out as they went in.
func publishKeepsBytes(s *suite) {
	m := s.Open(s)
	r := s.record(SagaID(1), 0)
	r.Value = []byte("{\"text\":\"\\u0000 \u2028 \\ud800\", \"n\": 1.0e+400 , \"n\":2}\n")
	r.Headers = []orchestrator.Header{{Key: "ce_id", Value: []byte("x")}, {Key: "ce_id", Value: []byte{0xff, 0}}, {Key: "empty", Value: []byte{}}}
	require.Equal(s, orchestrator.PublishAcked, m.Publish(s.ctx, []orchestrator.Record{r})[0].Outcome)
	got := s.Records(s, r.Topic, 1)[0]
	require.Equal(s, string(r.Key), string(got.Key))
	require.Equal(s, string(r.Value), string(got.Value))
	require.Len(s, got.Headers, len(r.Headers))
	for i, h := range got.Headers {
		require.Equal(s, r.Headers[i].Key, h.Key)
		require.Equal(s, string(r.Headers[i].Value), string(h.Value))
	}
}

func publishRefusesOnlyWhatIsTooLarge(s *suite) {
	topic := s.Narrow(s, 4000)
	m := s.Open(s)
	noise := make([]byte, 4000)
	_, _ = rand.Read(noise)
	var records []orchestrator.Record
	var want []orchestrator.PublishOutcome
	for i := range 20 {
		r, outcome := s.record(SagaID(i), i), orchestrator.PublishAcked
		if i == 11 {
			r.Value, outcome = []byte(strconv.Quote(hex.EncodeToString(noise))), orchestrator.PublishRefused
		}
		r.Topic = topic
		records, want = append(records, r), append(want, outcome)
	}
	got := m.Publish(s.ctx, records)
	require.Equal(s, want, outcomes(got))
	require.Error(s, got[11].Err)
	require.Len(s, s.Records(s, topic, 19), 19)
}

// While the broker is away everything is unknown, and bounded in time. What was in hand is still sent, and before anything newer.
func publishUnknownWhileAway(s *suite) {
	m := s.Open(s)
	first := m.Publish(s.ctx, []orchestrator.Record{s.record(SagaID(1), 1)})
	require.Equal(s, orchestrator.PublishAcked, first[0].Outcome)

	s.Stop(s)
	short, cancel := context.WithTimeout(s.ctx, 300*time.Millisecond)
	defer cancel()
	began := time.Now()
	down := m.Publish(short, []orchestrator.Record{s.record(SagaID(1), 2)})
	require.Equal(s, orchestrator.PublishUnknown, down[0].Outcome)
	require.Error(s, down[0].Err)
	require.Less(s, time.Since(began), 2*time.Second, "its context bounds the call")

	s.Start(s)
	for {
		up := m.Publish(s.ctx, []orchestrator.Record{s.record(SagaID(1), 3)})
		if up[0].Outcome == orchestrator.PublishAcked {
			break
		}
		require.NoError(s, s.ctx.Err(), "%v", up[0].Err)
	}
	got := values(s.Records(s, s.Topics.Events(), 3))[SagaID(1).String()]
	require.Equal(s, []string{"1", "2", "3"}, got)
}
