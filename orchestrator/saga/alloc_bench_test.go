//go:build !race

package saga_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator/internal/allocs"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// hotCases are what every saga of every kind goes through.
func hotCases(tb testing.TB) []allocs.Case {
	def := &saga.Definition{Name: "three-steps", Version: 1, Steps: []saga.Step{plain("one"), plain("two", 0), plain("three", 1)}}
	require.Empty(tb, def.Link())
	decide := func(in saga.Instance, body saga.Body) saga.Decision {
		d, err := saga.Decide(def, in, saga.Event{ID: "e", Env: saga.Env{At: epoch().Add(time.Duration(in.Revision) * time.Second), Batch: saga.BatchID{1}}, Body: body})
		if err != nil || d.Outcome != saga.Applied {
			tb.Fatal(err, d.Outcome)
		}
		return d
	}
	started := saga.Started{ID: testID(), Tenant: "default", Input: json.RawMessage(`{"order_id":"A-1001","amount_cents":4200}`), Labels: map[string]string{"region": "eu"}}
	answer := func(step string) saga.Replied {
		return saga.Replied{Step: step, Verb: saga.Execute, Attempt: 1, Outcome: saga.ReplySucceeded, Value: json.RawMessage(`{"ok":true}`)}
	}
	first := decide(saga.Instance{}, started)
	second := decide(first.Next, answer("one"))
	third := decide(second.Next, answer("two"))
	last := decide(third.Next, answer("three"))
	require.Equal(tb, saga.Completed, last.Next.Status)
	instance, err := saga.EncodeInstance(third.Next)
	require.NoError(tb, err)
	fact, err := saga.EncodeFact(second.Facts[0])
	require.NoError(tb, err)
	return []allocs.Case{
		{Name: "Decide/start", Measured: 9, Limit: 10, Run: func() { decide(saga.Instance{}, started) }},
		{Name: "Decide/reply", Measured: 15, Limit: 16, Run: func() { decide(first.Next, answer("one")) }},
		{Name: "Decide/last", Measured: 17, Limit: 18, Run: func() { decide(third.Next, answer("three")) }},
		{Name: "EncodeInstance", Measured: 7, Limit: 8, Run: func() { _, _ = saga.EncodeInstance(third.Next) }},
		{Name: "DecodeInstance", Measured: 16, Limit: 17, Run: func() { _, _ = saga.DecodeInstance(instance) }},
		{Name: "EncodeFact", Measured: 2, Limit: 2, Run: func() { _, _ = saga.EncodeFact(second.Facts[0]) }},
		{Name: "DecodeFact", Measured: 5, Limit: 6, Run: func() { _, _ = saga.DecodeFact(fact) }},
	}
}

func TestAllocs(t *testing.T) { allocs.Check(t, hotCases(t)) }

func BenchmarkHot(b *testing.B) { allocs.Benchmark(b, hotCases(b)) }
