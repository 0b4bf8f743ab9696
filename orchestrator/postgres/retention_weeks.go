package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/internal/stored"
)

// weeks detaches the weeks that are past the longest policy, oldest first, up to the first in which a saga is live.
func (r *retaining) weeks(ctx context.Context) error {
	if r.done.Longest > 0 {
		cutoff := r.now.Add(-r.done.Longest)
		sagas, err := tables(ctx, r.conn, sqlOldPartitions, "sagas", cutoff)
		if err != nil {
			return err
		}
		free := true
		for _, table := range sagas {
			week, err := r.week(ctx, table)
			if err != nil {
				return err
			}
			// Later weeks may be free of live sagas, but receipts of a live saga may be in any of them.
			free = free && week.Live == 0
			if free && !r.policy.DryRun {
				if err := r.detach(ctx, table, week.Tables); err != nil {
					return err
				}
			}
			if week.Detached = free; free {
				r.gone = week.end
			}
			r.done.Weeks = append(r.done.Weeks, week)
			r.progress()
		}
	}
	if r.policy.Drop && !r.policy.DryRun {
		return r.drop(ctx)
	}
	return nil
}

// week looks at a week by the name of its table of sagas.
func (r *retaining) week(ctx context.Context, table string) (week RetainedWeek, err error) {
	suffix := table[len("sagas_"):]
	monday, err := time.Parse("20060102", suffix)
	if err != nil {
		return week, fmt.Errorf("partition %s is not named for a week: %w", table, err)
	}
	week = RetainedWeek{Monday: monday.Format(time.DateOnly), end: monday.AddDate(0, 0, 7), Tables: []string{"sagas_" + suffix, "history_" + suffix, "receipts_" + suffix}}
	query := `SELECT count(*), count(*) FILTER (WHERE wake_at IS NOT NULL) FROM skald.` + pgx.Identifier{table}.Sanitize()
	if err := r.conn.QueryRow(ctx, query).Scan(&week.Sagas, &week.Live); err != nil {
		return week, translate("count the sagas of "+table, err)
	}
	for _, name := range week.Tables {
		var bytes int64
		if err := r.conn.QueryRow(ctx, sqlTableBytes, name).Scan(&bytes); err != nil {
			return week, translate("measure "+name, err)
		}
		week.Bytes += bytes
	}
	return week, nil
}

// detach takes a week away, and keeps account of its tables before and after.
func (r *retaining) detach(ctx context.Context, table string, names []string) error {
	for _, name := range names {
		var bytes int64
		if err := r.conn.QueryRow(ctx, sqlTableBytes, name).Scan(&bytes); err != nil {
			return translate("measure "+name, err)
		}
		if _, err := r.conn.Exec(ctx, sqlPutRetainedTable, name, bytes); err != nil {
			return translate("note "+name, err)
		}
	}
	if _, err := detachWeek(ctx, r.conn, table, nil); err != nil {
		return notOwner(err)
	}
	for _, name := range names {
		if _, err := r.conn.Exec(ctx, sqlTableDetached, name); err != nil {
			return translate("note "+name, err)
		}
	}
	return r.record(ctx, "retention.detach", table, map[string]any{"tables": names, "older_than": r.done.Longest.String()})
}

// drop removes the tables of detached weeks, those of earlier runs too.
func (r *retaining) drop(ctx context.Context) error {
	rows, err := r.conn.Query(ctx, sqlTablesToDrop)
	if err != nil {
		return translate("list detached tables", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (t RetainedTable, err error) {
		err = row.Scan(&t.Name, &t.Bytes)
		return t, err
	})
	if err != nil {
		return translate("list detached tables", err)
	}
	for _, t := range list {
		if _, err := r.conn.Exec(ctx, `DROP TABLE IF EXISTS skald.`+pgx.Identifier{t.Name}.Sanitize()); err != nil {
			return notOwner(translate("drop "+t.Name, err))
		}
		if _, err := r.conn.Exec(ctx, sqlTableDropped, t.Name); err != nil {
			return translate("note "+t.Name, err)
		}
		r.done.Dropped = append(r.done.Dropped, t)
		if err := r.record(ctx, "retention.drop", t.Name, map[string]any{"bytes": t.Bytes}); err != nil {
			return err
		}
	}
	return nil
}

// record adds to the audit what was removed.
func (r *retaining) record(ctx context.Context, action, target string, detail map[string]any) error {
	text, err := json.Marshal(detail)
	if err != nil {
		return fmt.Errorf("record %s of %s: %w", action, target, err)
	}
	err = pgx.BeginFunc(ctx, r.conn, func(tx pgx.Tx) error {
		return appendAudit(ctx, tx, orchestrator.Audit{
			Tenant: stored.TenantDefault, Actor: r.policy.Actor, Action: action, Target: target, Reason: "its retention is over", Detail: text,
		})
	})
	return translate("record "+action+" of "+target, err)
}
