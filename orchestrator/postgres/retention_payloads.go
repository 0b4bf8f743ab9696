package postgres

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/skaldhq/skald/orchestrator/internal/stored"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// payloads takes the payloads of the sagas of every definition that has a policy.
func (r *retaining) payloads(ctx context.Context) error {
	rows, err := r.conn.Query(ctx, sqlRetainedDefinitions)
	if err != nil {
		return translate("list definitions", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (s RetainedSagas, err error) {
		err = row.Scan(&s.Tenant, &s.Saga)
		return s, err
	})
	if err != nil {
		return translate("list definitions", err)
	}
	for _, s := range list {
		if s.Policy = r.policy.of(s.Saga); s.Policy == 0 {
			continue
		}
		at := len(r.done.Blanked)
		r.done.Blanked = append(r.done.Blanked, s)
		p := &pass{retaining: r, told: &r.done.Blanked[at]}
		err := p.run(ctx)
		if told := *p.told; told.Sagas > 0 && !r.policy.DryRun {
			err = errors.Join(err, r.record(context.WithoutCancel(ctx), "retention.blank", told.Saga, map[string]any{
				"tenant": told.Tenant, "sagas": told.Sagas, "bytes": told.Bytes, "older_than": told.Policy.String(),
			}))
		}
		if err != nil {
			return err
		}
	}
	r.done.Blanked = slices.DeleteFunc(r.done.Blanked, func(s RetainedSagas) bool { return s.Sagas == 0 && s.Unreadable == 0 })
	return nil
}

// pass goes over the sagas of one definition, oldest first.
type pass struct {
	*retaining
	told *RetainedSagas

	// As in table retention.
	looked       saga.ID
	behind       *saga.ID
	passAt       time.Time
	sagas, bytes int64
}

func (p *pass) run(ctx context.Context) error {
	if err := p.begin(ctx); err != nil {
		return err
	}
	for {
		more, err := p.slice(ctx)
		if err != nil {
			return err
		}
		if !more {
			return nil
		}
	}
}

// begin reads how far an earlier run came. Once a day it goes back to the oldest saga that was passed over.
func (p *pass) begin(ctx context.Context) error {
	p.passAt = p.now
	var looked, behind pgtype.UUID
	err := p.conn.QueryRow(ctx, sqlRetentionState, p.told.Tenant, p.told.Saga).Scan(&looked, &behind, &p.passAt, &p.sagas, &p.bytes)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return translate("read how far retention came", err)
	}
	p.looked = looked.Bytes
	if behind.Valid {
		id := saga.ID(behind.Bytes)
		p.behind = &id
	}
	if p.now.Sub(p.passAt) >= retentionPass || p.policy.DryRun {
		p.passAt = p.now
		if p.behind != nil {
			p.looked, p.behind = *p.behind, nil
		}
	}
	if first := saga.NewID(p.gone, 0, 0); !p.gone.IsZero() && stored.CompareIDs(first, p.looked) > 0 {
		p.looked = first
	}
	return nil
}

// slice looks at the next sagas and blanks those that are due, a transaction for each hundred of them.
func (p *pass) slice(ctx context.Context) (more bool, err error) {
	rows, err := p.conn.Query(ctx, sqlRetentionSlice, p.told.Tenant, p.told.Saga, uuid(p.looked), timestamp(p.now.Add(-p.told.Policy)), retentionLook)
	if err != nil {
		return false, translate("look for payloads to remove", err)
	}
	var (
		id         saga.ID
		due        []saga.ID
		mine       bool
		ended      bool
		count      int
		passedOver bool
		last       = p.looked
	)
	_, err = pgx.ForEachRow(rows, []any{(*[16]byte)(&id), &mine, &ended}, func() error {
		count++
		last = id
		switch {
		case mine && ended:
			due = append(due, id)
		case mine:
			passedOver = true
		}
		return nil
	})
	if err != nil {
		return false, translate("look for payloads to remove", err)
	}
	for chunk := range slices.Chunk(due, retentionSlice) {
		over, err := p.blank(ctx, chunk)
		if err != nil {
			return false, err
		}
		passedOver = passedOver || over
	}
	if passedOver && p.behind == nil {
		behind := p.looked
		p.behind = &behind
	}
	p.looked = last
	if !p.policy.DryRun {
		if _, err := p.conn.Exec(ctx, sqlPutRetentionState, p.state()...); err != nil {
			return false, translate("note how far retention came", err)
		}
	}
	return count == retentionLook, nil
}

// state is the row of table retention.
func (p *pass) state() []any {
	var behind pgtype.UUID
	if p.behind != nil {
		behind = uuid(*p.behind)
	}
	return []any{p.told.Tenant, p.told.Saga, uuid(p.looked), behind, timestamp(p.passAt), p.sagas, p.bytes}
}

// blank takes the payloads of at most a hundred ended sagas in one transaction. passedOver: not of all of them, because one has
// just ended, or somebody else has it locked.
func (p *pass) blank(ctx context.Context, ids []saga.ID) (passedOver bool, err error) {
	began := time.Now()
	var done blanking
	err = pgx.BeginFunc(ctx, p.conn, func(tx pgx.Tx) error {
		done = blanking{before: p.now.Add(-p.told.Policy), at: p.now}
		query := sqlLockToBlank
		if p.policy.DryRun {
			query = sqlReadToBlank
		}
		if err := done.read(ctx, tx, query, ids); err != nil || len(done.keys.ids) == 0 {
			return err
		}
		if p.policy.DryRun {
			return nil
		}
		if err := done.write(ctx, tx); err != nil {
			return err
		}
		p.sagas, p.bytes = p.sagas+int64(len(done.keys.ids)), p.bytes+done.freed
		_, err := tx.Exec(ctx, sqlPutRetentionState, p.state()...)
		return err
	})
	if err != nil {
		return true, translate("remove payloads of "+p.told.Saga, err)
	}
	n := len(done.keys.ids)
	p.told.Sagas, p.told.Bytes, p.told.Unreadable = p.told.Sagas+n, p.told.Bytes+done.freed, p.told.Unreadable+done.unreadable
	p.progress()
	if !p.policy.DryRun {
		err = pause(ctx, time.Duration(n)*time.Second/time.Duration(p.policy.Rate)-time.Since(began))
	}
	return n+done.unreadable < len(ids), err
}

func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
