package storetest

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/internal/stored"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// suite is one case at work on its own store.
type suite struct {
	*testing.T
	Fixture
	ctx context.Context
	n   int // ids made, so that they ascend
}

const tenant = "default"

func (s *suite) now() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// id makes saga ids that ascend.
func (s *suite) id(shard uint16) saga.ID {
	s.n++
	return saga.NewID(time.Now().Add(time.Duration(s.n)*time.Millisecond), shard, rand.Uint64())
}

// batchID makes batch ids that ascend.
func (s *suite) batchID() saga.BatchID {
	s.n++
	var id saga.BatchID
	binary.BigEndian.PutUint64(id[:8], uint64(time.Now().Add(time.Duration(s.n)*time.Millisecond).UnixMilli())<<16|0x7000)
	binary.BigEndian.PutUint64(id[8:], rand.Uint64()&^(3<<62)|2<<62)
	return id
}

// instance is a running saga with one command out, in the batch of its first write.
func (s *suite) instance(change ...func(*saga.Instance)) saga.Instance {
	now := s.now()
	in := saga.Instance{
		Tenant:    tenant,
		Saga:      "order",
		Version:   1,
		Status:    saga.Running,
		CreatedAt: now,
		UpdatedAt: now,
		Revision:  1,
		Seq:       2,
		Input:     json.RawMessage(`{"order_id": "A-1"}`),
		ClockAt:   now,
		Steps: []saga.StepState{
			{
				Status:  saga.InFlight,
				Effect:  saga.EffectPossible,
				Forward: saga.Leg{Created: true, Payload: json.RawMessage(`{}`), Attempt: 1, Sends: 1, Attempts: 1, SentAt: now, ExpiresAt: now.Add(time.Minute)},
			},
			{Status: saga.Pending, Effect: saga.EffectNone},
		},
	}
	for _, f := range change {
		f(&in)
	}
	if in.ID.IsZero() {
		in.ID = s.id(saga.ShardOf(in.Tenant, in.Saga, fmt.Sprint(in.Key, s.n)))
	}
	return in
}

// ended turns a saga into a completed one.
func ended(in *saga.Instance) {
	in.Status, in.EndedAt = saga.Completed, in.UpdatedAt
	in.Certificate = &saga.Certificate{Verdict: saga.Committed}
	for i := range in.Steps {
		in.Steps[i].Status = saga.Succeeded
	}
}

// next is the saga one revision later, with n more facts.
func next(in saga.Instance, n int) saga.Instance {
	in.Steps = slices.Clone(in.Steps)
	in.Revision++
	in.Seq += int64(n)
	return in
}

// batch stores the sagas, each with its command as a record; their commands are those of the batch.
func (s *suite) batch(sagas ...saga.Instance) orchestrator.Batch {
	b := orchestrator.Batch{ID: s.batchID(), RetryIn: time.Hour}
	for _, in := range sagas {
		in.Steps = slices.Clone(in.Steps)
		w := orchestrator.Write{Next: in, WakeAt: s.now().Add(time.Minute)}
		facts := int64(2)
		if in.Revision > 1 {
			facts = 1
		}
		for seq := in.Seq - facts + 1; seq <= in.Seq; seq++ {
			w.Facts = append(w.Facts, saga.Fact{Seq: seq, At: in.UpdatedAt, Type: saga.SagaResumed, EventID: "e"})
		}
		if in.Status.Terminal() {
			w.WakeAt = time.Time{}
			b.Writes = append(b.Writes, w)
			continue
		}
		if leg := &w.Next.Steps[0].Forward; w.Next.Steps[0].Status == saga.InFlight {
			leg.Batch, leg.Index = b.ID, len(b.Outbox)
			f := &w.Facts[len(w.Facts)-1]
			f.Type, f.Step, f.Verb, f.Batch, f.Index = saga.StepStarted, "reserve", saga.Execute, b.ID, leg.Index
			b.Outbox = append(b.Outbox, command(in.ID))
			w.Blocked = []saga.BlockedOn{{Cause: saga.CauseUnpublished, Step: "reserve"}}
		}
		b.Writes = append(b.Writes, w)
	}
	return b
}

func command(id saga.ID) orchestrator.Record {
	return orchestrator.Record{
		Kind:    orchestrator.RecordCommand,
		Topic:   "inventory.commands",
		Key:     []byte(id.String()),
		Value:   []byte(`{"sku": "\u0000"}`),
		Headers: []orchestrator.Header{{Key: "ce_id", Value: []byte("x")}, {Key: "empty", Value: []byte{}}, {Key: "none"}},
		Saga:    id,
		Step:    "reserve",
		Verb:    saga.Execute,
		Edition: 1,
		Attempt: 2,
	}
}

// begin opens a transaction that is rolled back at the end of the test if it is still open.
func (s *suite) begin(ids ...saga.ID) orchestrator.Tx {
	s.Helper()
	return s.beginNeed(orchestrator.Need{Sagas: sorted(ids)})
}

func (s *suite) beginNeed(need orchestrator.Need) orchestrator.Tx {
	s.Helper()
	tx, err := s.Store.Begin(s.ctx, need)
	require.NoError(s, err)
	s.Cleanup(func() { tx.Rollback(context.Background()) })
	return tx
}

func sorted(ids []saga.ID) []saga.ID {
	ids = slices.Clone(ids)
	slices.SortFunc(ids, stored.CompareIDs)
	return ids
}

// commit begins with the sagas that the batch updates, and commits.
func (s *suite) commit(b orchestrator.Batch) error {
	s.Helper()
	var ids []saga.ID
	for _, w := range b.Writes {
		if w.Next.Revision > 1 {
			ids = append(ids, w.Next.ID)
		}
	}
	return s.begin(ids...).Commit(s.ctx, b)
}

// store commits new sagas and answers the batch.
func (s *suite) store(sagas ...saga.Instance) orchestrator.Batch {
	s.Helper()
	b := s.batch(sagas...)
	require.NoError(s, s.commit(b))
	return b
}

func (s *suite) row(id saga.ID) orchestrator.Row {
	s.Helper()
	tx := s.begin(id)
	defer tx.Rollback(s.ctx)
	return tx.Row(id)
}

// acked says that records of a batch were acknowledged at partition 3, offset 100 + index.
func acked(at time.Time, indexes ...int) []orchestrator.Acked {
	var out []orchestrator.Acked
	for _, i := range indexes {
		out = append(out, orchestrator.Acked{Index: i, Partition: 3, Offset: 100 + int64(i), At: at})
	}
	return out
}

func audit(tenant, action string) orchestrator.Audit {
	return orchestrator.Audit{Tenant: tenant, Actor: "ada", Action: action, Reason: "because", Detail: json.RawMessage(`{"a":1}`)}
}
