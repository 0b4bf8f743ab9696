package postgres_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// BenchmarkTransition is one batch of the committer: load, and write a transition of each saga with its next command.
func BenchmarkTransition(b *testing.B) {
	for _, sagas := range []int{1, 64, 512} {
		b.Run(fmt.Sprint(sagas), func(b *testing.B) {
			s := newStore(b, migrated(b))
			ctx := context.Background()
			payload := json.RawMessage(fmt.Sprintf(`{"data":"%x"}`, randomBytes(200)))
			now := time.Now().UTC().Truncate(time.Microsecond)
			state := make([]saga.Instance, sagas)
			ids := make([]saga.ID, sagas)
			for i := range state {
				ids[i] = saga.NewID(now.Add(time.Duration(i)*time.Millisecond), uint16(rand.Uint32()), rand.Uint64())
				state[i] = saga.Instance{
					ID: ids[i], Tenant: "default", Saga: "bench", Version: 1, Status: saga.Running, CreatedAt: now,
					Input: payload, Steps: make([]saga.StepState, 3),
				}
			}
			var settled []orchestrator.Settled
			step := func(load []saga.ID) {
				tx, err := s.Begin(ctx, orchestrator.Need{Sagas: load})
				require.NoError(b, err)
				batch := orchestrator.Batch{ID: saga.BatchID(saga.NewID(time.Now(), 0, rand.Uint64())), RetryIn: time.Hour, Settled: settled}
				done := orchestrator.Settled{Batch: batch.ID}
				for i := range state {
					in := &state[i]
					in.Revision++
					in.Seq += 2
					in.Steps[0] = saga.StepState{Status: saga.InFlight, Effect: saga.EffectPossible, Forward: saga.Leg{Created: true, Payload: payload, Batch: batch.ID, Index: i}}
					batch.Writes = append(batch.Writes, orchestrator.Write{
						Next: *in, WakeAt: now.Truncate(10 * time.Second).Add(time.Minute),
						Facts: []saga.Fact{{Seq: in.Seq - 1, At: now, Type: saga.StepSucceeded, Output: payload}, {Seq: in.Seq, At: now, Type: saga.StepStarted, Payload: payload, Batch: batch.ID, Index: i}},
					})
					rec := orchestrator.Record{Kind: orchestrator.RecordCommand, Topic: "bench.commands", Key: []byte(in.ID.String()), Value: payload, Saga: in.ID, Step: "one", Verb: saga.Execute, Attempt: 1}
					for h := range 16 {
						rec.Headers = append(rec.Headers, orchestrator.Header{Key: fmt.Sprintf("ce_header%d", h), Value: []byte("some-header-value")})
					}
					batch.Outbox = append(batch.Outbox, rec)
					done.Acked = append(done.Acked, orchestrator.Acked{Index: i, Partition: int32(i % 12), Offset: int64(i), At: now})
				}
				require.NoError(b, tx.Commit(ctx, batch))
				settled = []orchestrator.Settled{done}
			}
			step(nil)
			for b.Loop() {
				step(ids)
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*sagas), "us/saga")
		})
	}
}

func randomBytes(n int) []byte {
	out := make([]byte, n)
	for i := range out {
		out[i] = byte(rand.Uint32())
	}
	return out
}
