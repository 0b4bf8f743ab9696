package postgres

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgerrcode"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Errors of Retain.
var (
	// ErrRetaining says that somebody else is at it: a replica's keeper, or a person.
	ErrRetaining = errors.New("retention is at work already")
	// ErrNotOwner says that weeks are due and that the database's role does not own their tables. Payloads were taken all the same.
	ErrNotOwner = errors.New("the role does not own the tables")
)

// RetentionLeast is the shortest policy. It is well above what clocks differ by, so that nobody starts a saga in a week that leaves.
const RetentionLeast = 24 * time.Hour

const (
	retentionSlice = 100  // sagas that one transaction blanks at most
	retentionLook  = 1000 // sagas that one statement looks at
	retentionRate  = 200
	retentionPass  = 24 * time.Hour
)

// Retention says how long sagas are kept once they have ended. Live ones are never touched.
type Retention struct {
	Default time.Duration            // of definitions that Sagas does not name; 0: for ever
	Sagas   map[string]time.Duration // by definition; 0: for ever
	Drop    bool                     // drop the tables of detached weeks, those of earlier runs too; false: they stay, to be archived
	Rate    int                      // sagas whose payloads are taken in a second, about; 0: 200
	DryRun  bool                     // count, and change nothing
	Actor   string                   // who does it, for the audit; empty: database:<user>
	// Progress is called after each slice with what was done so far; nil: nobody looks.
	Progress func(Retained)
}

// Retained is what retention did, or would do.
type Retained struct {
	DryRun  bool            `json:"dry_run"`
	Longest time.Duration   `json:"-"` // of the policies; 0: something is kept for ever, so no week leaves
	Weeks   []RetainedWeek  `json:"weeks"`
	Dropped []RetainedTable `json:"dropped"` // tables
	Blanked []RetainedSagas `json:"blanked"` // by definition
	Keys    int             `json:"keys_removed"`
}

// RetainedWeek is a week that is past the longest policy.
type RetainedWeek struct {
	Monday   string   `json:"monday"` // 2026-11-16
	Sagas    int64    `json:"sagas"`
	Live     int64    `json:"live"` // they keep the week, and those after it
	Bytes    int64    `json:"bytes"`
	Tables   []string `json:"tables"`
	Detached bool     `json:"detached"` // or would be, in a dry run
	end      time.Time
}

// RetainedTable is a table that was dropped.
type RetainedTable struct {
	Name  string `json:"name"`
	Bytes int64  `json:"bytes"`
}

// RetainedSagas are the sagas of a definition that lost their payloads.
type RetainedSagas struct {
	Tenant     string        `json:"tenant"`
	Saga       string        `json:"saga"`
	Policy     time.Duration `json:"-"`
	Sagas      int           `json:"sagas"`
	Bytes      int64         `json:"bytes"` // that they are smaller
	Unreadable int           `json:"unreadable"`
}

// Validate reports all policies that are too short.
func (r *Retention) Validate() error {
	var errs []error
	check := func(what string, d time.Duration) {
		if d != 0 && d < RetentionLeast {
			errs = append(errs, fmt.Errorf("retention of %s: %s: want 0 (for ever) or at least %s", what, d, RetentionLeast))
		}
	}
	check("every saga", r.Default)
	for name, d := range r.Sagas {
		check(name, d)
	}
	return errors.Join(errs...)
}

// Any reports whether anything is ever removed.
func (r *Retention) Any() bool {
	for _, d := range r.Sagas {
		if d > 0 {
			return true
		}
	}
	return r.Default > 0
}

// of is the policy of a definition; 0: for ever.
func (r *Retention) of(name string) time.Duration {
	if d, named := r.Sagas[name]; named {
		return d
	}
	return r.Default
}

// longest is the longest policy; 0: something is kept for ever.
func (r *Retention) longest() time.Duration {
	longest := r.Default
	for _, d := range r.Sagas {
		if d == 0 {
			return 0
		}
		longest = max(longest, d)
	}
	if r.Default == 0 {
		return 0
	}
	return longest
}

// OpenRetention opens the one connection that Retain needs. Waiting for those who still read a week is part of detaching it.
func OpenRetention(ctx context.Context, dsn string) (*pgxpool.Pool, error) {
	return OpenPool(ctx, PoolConfig{DSN: dsn, Role: RoleRetention, MaxConns: 1, StatementTimeout: 10 * time.Minute, LockTimeout: 10 * time.Second})
}

// Retain removes what is older than its policy, in this order: weeks past the longest policy in which no saga is live are detached
// as a whole (DETACH ... CONCURRENTLY), and dropped where that is asked for; sagas past their own policy lose their payloads
// (saga.Blank), in slices of 100 at a bounded rate; business keys of weeks that are gone are forgotten. An ended saga's age counts
// from its end where payloads are concerned, and from its start where weeks are.
//
// It needs an OpenRetention pool. It may be stopped at any time, and goes on where it was. ErrRetaining: somebody else is at it.
// ErrNotOwner comes with what was done.
func Retain(ctx context.Context, pool *pgxpool.Pool, policy Retention) (done Retained, err error) {
	if err := policy.Validate(); err != nil {
		return done, err
	}
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return done, translate("open a connection for retention", err)
	}
	defer conn.Release()
	r := &retaining{conn: conn.Conn(), policy: policy, done: Retained{
		DryRun: policy.DryRun, Longest: policy.longest(), Weeks: []RetainedWeek{}, Dropped: []RetainedTable{}, Blanked: []RetainedSagas{},
	}}
	r.policy.Rate = or(policy.Rate, retentionRate)
	var locked bool
	if err := r.conn.QueryRow(ctx, sqlTryRetain).Scan(&locked); err != nil {
		return r.done, translate("begin retention", err)
	}
	if !locked {
		return r.done, ErrRetaining
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if _, unlockErr := r.conn.Exec(ctx, sqlRetained); unlockErr != nil {
			_ = r.conn.Close(ctx) // the lock goes with its session
		}
	}()
	err = r.run(ctx)
	return r.done, err
}

// retaining is one call of Retain.
type retaining struct {
	conn   *pgx.Conn
	policy Retention
	now    time.Time // the database's, as it began
	done   Retained
	gone   time.Time // before it, sagas leave with their weeks, or would
}

func (r *retaining) run(ctx context.Context) error {
	if err := r.conn.QueryRow(ctx, sqlClock).Scan(&r.now); err != nil {
		return translate("read the clock", err)
	}
	if r.policy.Actor == "" {
		if err := r.conn.QueryRow(ctx, sqlSessionUser).Scan(&r.policy.Actor); err != nil {
			return translate("ask who asks", err)
		}
		r.policy.Actor = "database:" + r.policy.Actor
	}
	weeks := r.weeks(ctx)
	if weeks != nil && !errors.Is(weeks, ErrNotOwner) {
		return weeks
	}
	if err := r.payloads(ctx); err != nil {
		return err
	}
	if err := r.keys(ctx); err != nil {
		return err
	}
	return weeks
}

// progress tells the caller.
func (r *retaining) progress() {
	if r.policy.Progress != nil {
		r.policy.Progress(r.done)
	}
}

// notOwner translates the refusal to change a table that belongs to another role.
func notOwner(err error) error {
	var pg *pgconn.PgError
	if errors.As(err, &pg) && pg.Code == pgerrcode.InsufficientPrivilege {
		return fmt.Errorf("%w: %w", ErrNotOwner, err)
	}
	return err
}
