package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// DetachBefore is retention: it detaches the weeks of sagas, history and receipts that end at or before the given time, and
// answers their tables. They stay in the schema as tables of their own, to be archived or dropped. A week in which a saga is
// still live is kept, and its history and receipts with it.
//
// It takes the owner of the tables, a connection outside a transaction, and SHARE UPDATE EXCLUSIVE locks alone (DETACH ...
// CONCURRENTLY). When it is stopped in between, calling it again goes on.
func DetachBefore(ctx context.Context, conn *pgx.Conn, before time.Time) ([]string, error) {
	var detached []string
	sagas, err := tables(ctx, conn, sqlOldPartitions, "sagas", before)
	if err != nil {
		return nil, err
	}
	for _, table := range sagas {
		var live bool
		query := `SELECT EXISTS (SELECT FROM skald.` + pgx.Identifier{table}.Sanitize() + ` WHERE wake_at IS NOT NULL)`
		if err := conn.QueryRow(ctx, query).Scan(&live); err != nil {
			return detached, translate("look for live sagas in "+table, err)
		}
		if live {
			break // later weeks may be free of live sagas, but history is read from the oldest on
		}
		if detached, err = detachWeek(ctx, conn, table, detached); err != nil {
			return detached, err
		}
	}
	return detached, nil
}

// detachWeek detaches a week of sagas last, so that a week that is stopped halfway is found again.
func detachWeek(ctx context.Context, conn *pgx.Conn, sagas string, detached []string) ([]string, error) {
	week := sagas[len("sagas_"):]
	for _, parent := range []string{"receipts", "history", "sagas"} {
		table := parent + "_" + week
		var attached, pending bool
		if err := conn.QueryRow(ctx, sqlAttached, parent, table).Scan(&attached, &pending); err != nil {
			return detached, translate("look for "+table, err)
		}
		if !attached {
			continue
		}
		how := "CONCURRENTLY"
		if pending { // it was stopped before
			how = "FINALIZE"
		}
		_, err := conn.Exec(ctx, fmt.Sprintf(`ALTER TABLE skald.%s DETACH PARTITION skald.%s %s`,
			pgx.Identifier{parent}.Sanitize(), pgx.Identifier{table}.Sanitize(), how))
		if err != nil {
			return detached, translate("detach "+table, err)
		}
		detached = append(detached, table)
	}
	return detached, nil
}

func tables(ctx context.Context, conn *pgx.Conn, query string, args ...any) ([]string, error) {
	rows, err := conn.Query(ctx, query, args...)
	if err != nil {
		return nil, translate("list partitions", err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowTo[string])
	return list, translate("list partitions", err)
}
