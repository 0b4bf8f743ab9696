package postgres

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// StartTx starts a saga in the caller's own transaction, so that it starts exactly when the caller's work is committed. It
// works on a savepoint: after an error the transaction is as before. The first commands are sent by the sweep of the outbox,
// which a hint makes prompt.
//
// A business key in use is answered as the API does by default: with the saga that has it where the input is the same and the
// saga is live or completed (Existing), else with *orchestrator.KeyInUseError; a key of a saga that ended otherwise is given to
// the new one. Somebody else's open transaction on the key is waited for, as long as the caller's lock_timeout says. Other
// errors: *orchestrator.InputError, *orchestrator.TooLargeError. start.ID and, where the definition has one, start.Key are
// given by StartTx.
func StartTx(ctx context.Context, tx pgx.Tx, def *saga.Definition, encoder orchestrator.Encoder, start saga.Started) (orchestrator.Started, error) {
	s, err := newStarter(def, encoder, start)
	if err != nil {
		return orchestrator.Started{}, err
	}
	err = pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error { return s.run(ctx, tx) })
	if err != nil {
		return orchestrator.Started{}, translate("start "+def.Name, err)
	}
	return s.answer, nil
}

type starter struct {
	def     *saga.Definition
	encoder orchestrator.Encoder
	start   saga.Started
	hash    [32]byte
	answer  orchestrator.Started
}

func newStarter(def *saga.Definition, encoder orchestrator.Encoder, start saga.Started) (*starter, error) {
	if len(start.Input) > saga.MaxInputBytes {
		return nil, &orchestrator.TooLargeError{Limit: saga.MaxInputBytes}
	}
	labels, key, err := orchestrator.Check(def, start.Input, start.Key, start.Labels)
	if err != nil {
		return nil, err
	}
	start.Labels, start.Key = labels, key
	return &starter{def: def, encoder: encoder, start: start, hash: sha256.Sum256(start.Input)}, nil
}

func (s *starter) run(ctx context.Context, tx pgx.Tx) error {
	var at time.Time
	if err := tx.QueryRow(ctx, sqlClock).Scan(&at); err != nil {
		return err
	}
	shard := uint16(rand.Uint32())
	if s.start.Key != "" {
		shard = saga.ShardOf(s.start.Tenant, s.def.Name, s.start.Key)
	}
	s.start.ID = saga.NewID(at, shard, rand.Uint64())
	batch := orchestrator.Batch{ID: saga.BatchID(saga.NewID(at, uint16(rand.Uint32()), rand.Uint64()))}
	if s.start.Key != "" {
		taken, err := s.takeKey(ctx, tx, &batch)
		if err != nil || taken {
			return err
		}
	}
	holds, err := s.holds(ctx, tx)
	if err != nil {
		return err
	}
	limits, err := s.limits(ctx, tx)
	if err != nil {
		return err
	}
	return s.decide(ctx, tx, batch, saga.Env{At: at.UTC(), Jitter: rand.Float64(), Holds: holds, Limits: limits, Batch: batch.ID})
}

// takeKey claims the business key, or judges the saga that has it. It reports whether that is the answer.
func (s *starter) takeKey(ctx context.Context, tx pgx.Tx, batch *orchestrator.Batch) (bool, error) {
	tag, err := tx.Exec(ctx, sqlClaimBusinessKey, s.start.Tenant, s.def.Name, s.start.Key, uuid(s.start.ID), s.hash[:])
	if err != nil || tag.RowsAffected() == 1 {
		return false, err
	}
	var (
		id   saga.ID
		hash []byte
	)
	row := tx.QueryRow(ctx, sqlReadBusinessKey, s.start.Tenant, s.def.Name, s.start.Key)
	if err := row.Scan((*[16]byte)(&id), &hash); err != nil {
		return false, err
	}
	old, err := readInstance(ctx, tx, s.start.Tenant, id)
	if err != nil {
		return false, err
	}
	switch same := string(hash) == string(s.hash[:]); {
	case old == nil || old.Status.Terminal() && old.Status != saga.Completed:
		batch.Rekeys = []orchestrator.Rekey{{Tenant: s.start.Tenant, Saga: s.def.Name, Key: s.start.Key, From: id, To: s.start.ID, Hash: s.hash}}
		return false, nil
	case same:
		s.answer = started(old)
		s.answer.Existing = true
		return true, nil
	}
	return false, &orchestrator.KeyInUseError{Key: s.start.Key, ID: id, Status: old.Status, Why: "a saga with another input has it"}
}

// readInstance answers nil where there is none: its partition has been detached.
func readInstance(ctx context.Context, tx pgx.Tx, tenant string, id saga.ID) (*saga.Instance, error) {
	var (
		wakeAt *time.Time
		bytes  []byte
	)
	err := tx.QueryRow(ctx, sqlSaga, int16(id.Shard()), uuid(id), tenant).Scan(&wakeAt, &bytes)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	in, err := saga.DecodeInstance(bytes)
	return &in, err
}

func started(in *saga.Instance) orchestrator.Started {
	return orchestrator.Started{
		ID:        in.ID,
		Saga:      in.Saga,
		Version:   in.Version,
		Key:       in.Key,
		Tenant:    in.Tenant,
		Status:    in.Status,
		Revision:  in.Revision,
		CreatedAt: in.CreatedAt,
	}
}

func (s *starter) decide(ctx context.Context, tx pgx.Tx, batch orchestrator.Batch, env saga.Env) error {
	d, err := saga.Decide(s.def, saga.Instance{}, saga.Event{Env: env, Body: s.start})
	if err != nil {
		return err
	}
	d.Next.Revision = 1
	for _, cmd := range d.Commands {
		batch.Outbox = append(batch.Outbox, s.encoder.Command(&d.Next, cmd, env.At))
	}
	for _, fact := range d.Facts {
		if fact.Sequence > 0 {
			batch.Outbox = append(batch.Outbox, s.encoder.Event(&d.Next, fact))
		}
	}
	batch.Writes = []orchestrator.Write{{
		Next:    d.Next,
		WakeAt:  orchestrator.OnGrid(d.WakeAt),
		Facts:   d.Facts,
		Blocked: saga.Blocked(s.def, d.Next, env),
	}}
	w, err := writesOf(&batch)
	if err != nil {
		return err
	}
	b := &pgx.Batch{}
	w.queue(b)
	// Nobody has tried to send it, and the sweep may at once.
	if err := queueOutbox(b, &batch, true, false); err != nil {
		return err
	}
	queueRekeys(b, batch.Rekeys)
	if len(batch.Outbox) > 0 {
		b.Queue(sqlHint)
	}
	if err := tx.SendBatch(ctx, b).Close(); err != nil {
		return err
	}
	s.answer = started(&d.Next)
	return nil
}

// holds are those that concern the saga.
func (s *starter) holds(ctx context.Context, tx pgx.Tx) ([]saga.Hold, error) {
	rows, err := tx.Query(ctx, sqlHoldsInForce)
	if err != nil {
		return nil, err
	}
	all, err := pgx.CollectRows(rows, scanHold)
	if err != nil {
		return nil, fmt.Errorf("read holds: %w", err)
	}
	return orchestrator.HoldsFor(all, s.start.Tenant, s.start.ID, s.def), nil
}

// limits are those that concern the saga. How much room there is is for the engine's replicas to say: here there is none, and the saga
// waits for its turn, which comes within about a second where there is room.
func (s *starter) limits(ctx context.Context, tx pgx.Tx) (out []saga.Limit, err error) {
	rows, err := tx.Query(ctx, sqlLimits, s.start.Tenant)
	if err != nil {
		return nil, err
	}
	all, err := pgx.CollectRows(rows, scanLimit)
	if err != nil {
		return nil, fmt.Errorf("read limits: %w", err)
	}
	for i := range all {
		if l := &all[i].Limit; l.Concerns(s.start.Tenant, s.def) {
			out = append(out, saga.Limit{Participant: l.Participant(), What: l.Target(), Figure: "started in another transaction"})
		}
	}
	return out, nil
}
