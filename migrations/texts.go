package migrations

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strconv"
)

// ErrOtherText says that the database has a migration that reads differently here. A merged migration is never edited: one of the
// two builds was never released, and no migration leads from the one schema to the other.
var ErrOtherText = errors.New("a migration was applied with another text")

const (
	appliedTexts = `SELECT version_id, coalesce(to_jsonb(v)->>'sha256', '') FROM skald.schema_version AS v WHERE is_applied`

	allNoted = `SELECT NOT EXISTS (
		SELECT FROM skald.schema_version AS v WHERE is_applied AND version_id BETWEEN 1 AND $1 AND to_jsonb(v)->>'sha256' IS NULL)`

	addTexts = `ALTER TABLE skald.schema_version ADD COLUMN IF NOT EXISTS sha256 text`

	noteText = `UPDATE skald.schema_version SET sha256 = $2 WHERE version_id = $1 AND is_applied AND sha256 IS NULL`
)

// text is the file of a migration.
type text struct {
	file, sum string
}

func texts() (map[int64]text, error) {
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		return nil, err
	}
	out := make(map[int64]text, len(names))
	for _, name := range names {
		version, err := strconv.ParseInt(name[:5], 10, 64)
		if err != nil {
			return nil, err
		}
		b, err := files.ReadFile(name)
		if err != nil {
			return nil, err
		}
		out[version] = text{name, fmt.Sprintf("%x", sha256.Sum256(b))}
	}
	return out, nil
}

// checkTexts compares what was applied with the files. What nobody noted, and migrations that this binary does not know, are not
// compared.
func checkTexts(ctx context.Context, db *sql.DB) error {
	var there bool
	if err := db.QueryRowContext(ctx, `SELECT to_regclass($1) IS NOT NULL`, table).Scan(&there); err != nil || !there {
		return err
	}
	known, err := texts()
	if err != nil {
		return err
	}
	rows, err := db.QueryContext(ctx, appliedTexts)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var version int64
		var sum string
		if err := rows.Scan(&version, &sum); err != nil {
			return err
		}
		if here, ok := known[version]; ok && sum != "" && sum != here.sum {
			return fmt.Errorf("%w: %s", ErrOtherText, here.file)
		}
	}
	return rows.Err()
}

// noteTexts notes the texts of what is applied, under the lock of those who migrate. Where all are noted it asks for no right but
// that to read.
func noteTexts(ctx context.Context, db *sql.DB) (err error) {
	known, err := texts()
	if err != nil {
		return err
	}
	var noted bool
	if err := db.QueryRowContext(ctx, allNoted, slices.Max(slices.Collect(maps.Keys(known)))).Scan(&noted); err != nil || noted {
		return err
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := (locker{}).SessionLock(ctx, conn); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, (locker{}).SessionUnlock(context.WithoutCancel(ctx), conn)) }()
	if _, err := conn.ExecContext(ctx, addTexts); err != nil {
		return err
	}
	for version, t := range known {
		if _, err := conn.ExecContext(ctx, noteText, version, t.sum); err != nil {
			return err
		}
	}
	return nil
}
