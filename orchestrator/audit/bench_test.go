package audit_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/cmd/skald/embedded/embeddedtest"
	"github.com/skaldhq/skald/migrations"
	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/audit"
	"github.com/skaldhq/skald/orchestrator/internal/stored"
	"github.com/skaldhq/skald/orchestrator/kafka"
	"github.com/skaldhq/skald/orchestrator/memory"
	"github.com/skaldhq/skald/orchestrator/postgres"
	"github.com/skaldhq/skald/orchestrator/saga"
	"github.com/skaldhq/skald/participants/wire"
)

var benchSagas = flag.Int("sagas", 10_000, "of BenchmarkRun")

// BenchmarkRun audits a database of sagas that have ended, as an engine under load leaves them: 64 to a transaction.
func BenchmarkRun(b *testing.B) {
	ctx := context.Background()
	dsn := embeddedtest.Database(b)
	_, err := migrations.Up(ctx, dsn)
	require.NoError(b, err)
	pool, err := postgres.OpenPool(ctx, postgres.PoolConfig{DSN: dsn, Role: postgres.RoleAudit})
	require.NoError(b, err)
	defer pool.Close()
	s := postgres.New(postgres.Config{Engine: pool})
	fill(b, dsn, s, *benchSagas)
	for b.Loop() {
		report, err := audit.Run(ctx, audit.Config{Store: s})
		require.NoError(b, err)
		require.Empty(b, report.Problems)
		require.Equal(b, *benchSagas, report.Checked.Sagas)
		b.ReportMetric(float64(report.Checked.Facts)/float64(report.Checked.Sagas), "facts/saga")
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N**benchSagas), "us/saga")
}

// template is a completed saga: its facts, transaction by transaction.
func template(b *testing.B, s *postgres.Store) (*saga.Definition, [][]saga.Fact) {
	keys, err := wire.NewKeyring(wire.Key{ID: "k1", Secret: []byte("0123456789abcdef0123456789abcdef")})
	require.NoError(b, err)
	m := memory.New(memory.Config{})
	engine, err := orchestrator.New(orchestrator.Config{Store: m, Reader: m, Definitions: s, Holds: m, Broker: &echo{}, Encoder: kafka.NewCodec(wire.Topics{}, "test", keys)})
	require.NoError(b, err)
	_, _, err = engine.PutDefinition(context.Background(), tenant, []byte(tripDefinition), true, "ada", "")
	require.NoError(b, err)
	def, err := engine.Definition(context.Background(), tenant, "trip", 1)
	require.NoError(b, err)
	at := time.Now().UTC().Truncate(time.Microsecond)
	var in saga.Instance
	var out [][]saga.Fact
	decide := func(body saga.Body) {
		at = at.Add(10 * time.Millisecond)
		d, err := saga.Decide(def, in, saga.Event{Body: body, Env: saga.Env{At: at}})
		require.NoError(b, err)
		in = d.Next
		out = append(out, d.Facts)
	}
	decide(saga.Started{ID: saga.NewID(at, 1, 1), Tenant: tenant, Key: "A-0000000", Input: json.RawMessage(`{"id": "A-0000000"}`), Labels: map[string]string{"team": "A"}})
	for _, step := range []string{"flight", "hotel", "pay", "tell"} {
		decide(saga.Replied{Step: step, Verb: saga.Execute, Attempt: 1, Outcome: saga.ReplySucceeded, Value: json.RawMessage(`{"note": "some four hundred bytes would be more like it"}`)})
	}
	require.Equal(b, saga.Completed, in.Status)
	return def, out
}

// fill stores n sagas like the template.
func fill(b *testing.B, dsn string, s *postgres.Store, n int) {
	ctx := context.Background()
	def, txs := template(b, s)
	conn, err := pgx.Connect(ctx, dsn)
	require.NoError(b, err)
	defer conn.Close(ctx)
	began := time.Now().UTC().Truncate(time.Microsecond)
	const together = 64
	for first := 0; first < n; first += together {
		batches := make([]saga.BatchID, len(txs))
		at := began.Add(time.Duration(first) * time.Microsecond)
		for i := range batches {
			batches[i] = saga.BatchID(saga.NewID(at, uint16(i), uint64(first)))
		}
		var sagas, history, keys, receipts [][]any
		for i := range min(together, n-first) {
			key := fmt.Sprintf("A-%07d", first+i)
			id := saga.NewID(at, saga.ShardOf(tenant, "trip", key), uint64(first+i))
			var in saga.Instance
			for t, tx := range txs {
				facts := slices.Clone(tx)
				for j := range facts {
					f := &facts[j]
					if f.Start != nil {
						start := *f.Start
						start.ID, start.Key, start.Input = id, key, json.RawMessage(fmt.Sprintf(`{"id": %q}`, key))
						f.Start = &start
					}
					if f.Type == saga.StepStarted {
						f.Batch, f.Index = batches[t], i*8+int(f.Seq)%8
					}
					in, err = saga.FoldOn(def, in, []saga.Fact{*f})
					require.NoError(b, err)
				}
				raw, err := stored.EncodeFacts(facts)
				require.NoError(b, err)
				history = append(history, []any{int16(id.Shard()), id.String(), facts[0].Seq, batches[t].String(), raw})
			}
			in.Revision = int64(len(txs))
			raw, err := saga.EncodeInstance(in)
			require.NoError(b, err)
			sagas = append(sagas, []any{
				int16(id.Shard()), id.String(), tenant, "trip", 1, key, string(in.Status), in.Revision, in.CreatedAt, nil,
				[]byte(`{"team": "A"}`),
				[]string{},
				[]string{},
				[]string{},
				raw,
			})
			hash := sha256.Sum256(in.Input)
			keys = append(keys, []any{tenant, "trip", key, id.String(), hash[:]})
		}
		for t := range txs {
			var acks []orchestrator.Acked
			for i := range together * 8 {
				acks = append(acks, orchestrator.Acked{Index: i, Partition: int32(i % 12), Offset: int64(first + i), At: at})
			}
			receipts = append(receipts, []any{batches[t].String(), stored.EncodeAcks(acks)})
		}
		copyInto(b, conn, "sagas", []string{"shard", "id", "tenant", "saga", "version", "key", "status", "revision", "created_at", "wake_at", "labels", "attention", "causes", "batches", "instance"}, sagas)
		copyInto(b, conn, "history", []string{"shard", "saga_id", "seq", "batch", "facts"}, history)
		copyInto(b, conn, "business_keys", []string{"tenant", "saga", "key", "id", "hash"}, keys)
		copyInto(b, conn, "receipts", []string{"batch", "acks"}, receipts)
	}
	_, err = conn.Exec(ctx, `VACUUM ANALYZE`)
	require.NoError(b, err)
}

func copyInto(b *testing.B, conn *pgx.Conn, table string, columns []string, rows [][]any) {
	b.Helper()
	_, err := conn.CopyFrom(context.Background(), pgx.Identifier{"skald", table}, columns, pgx.CopyFromRows(rows))
	require.NoError(b, err)
}
