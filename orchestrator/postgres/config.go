package postgres

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Role says what a pool is for. Each has a pool of its own, so that lists cannot starve the committer.
type Role string

// The roles of pools.
const (
	RoleEngine    Role = "engine"    // the committer and the sweeps
	RoleAPI       Role = "api"       // lists, history, definitions
	RoleDashboard Role = "dashboard" // the same for people
	RoleAudit     Role = "audit"     // `skald audit`, which reads everything
	RoleRetention Role = "retention" // Retain
)

// PoolConfig is a pool of one role. Zero fields take the defaults.
type PoolConfig struct {
	DSN              string
	Role             Role          // shown as application_name
	MaxConns         int32         // 0: 8 for the engine, else 4
	StatementTimeout time.Duration // 0: 10 s for the engine, 1 min for an audit, else 5 s
	LockTimeout      time.Duration // 0: 1 s
	IdleInTx         time.Duration // idle_in_transaction_session_timeout; 0: 5 s
	ConnectTimeout   time.Duration // 0: 5 s
	// Configure changes the pool's configuration last, for tracers; nil: nothing.
	Configure func(*pgxpool.Config)
}

func (c PoolConfig) withDefaults() PoolConfig {
	engine := c.Role == RoleEngine
	c.MaxConns = or(c.MaxConns, choose[int32](engine, 8, 4))
	c.StatementTimeout = or(c.StatementTimeout, choose(engine, 10*time.Second, choose(c.Role == RoleAudit, time.Minute, 5*time.Second)))
	c.LockTimeout = or(c.LockTimeout, time.Second)
	c.IdleInTx = or(c.IdleInTx, 5*time.Second)
	c.ConnectTimeout = or(c.ConnectTimeout, 5*time.Second)
	return c
}

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

func choose[T any](first bool, a, b T) T {
	if first {
		return a
	}
	return b
}

// OpenPool opens the pool of a role. It connects when it is first used. Behind a PgBouncer the parameters that it sends must
// be listed in ignore_startup_parameters and be set on the database's role instead.
func OpenPool(ctx context.Context, c PoolConfig) (*pgxpool.Pool, error) {
	c = c.withDefaults()
	cfg, err := pgxpool.ParseConfig(c.DSN)
	if err != nil {
		return nil, fmt.Errorf("open %s pool: %w", c.Role, err)
	}
	cfg.MaxConns = c.MaxConns
	cfg.ConnConfig.ConnectTimeout = c.ConnectTimeout
	params := cfg.ConnConfig.RuntimeParams
	params["application_name"] = "skald-" + string(c.Role)
	params["statement_timeout"] = milliseconds(c.StatementTimeout)
	params["lock_timeout"] = milliseconds(c.LockTimeout)
	params["idle_in_transaction_session_timeout"] = milliseconds(c.IdleInTx)
	params["timezone"] = "UTC"
	if c.Role == RoleEngine {
		// The engine reads rows by key alone. A table that is new and small tempts the planner into reading it whole, and a
		// prepared plan would go on doing so while it grows.
		for _, plan := range []string{"enable_seqscan", "enable_bitmapscan", "enable_hashjoin", "enable_mergejoin"} {
			params[plan] = "off"
		}
		// So every plan is right for any parameters; making one anew costs more than most statements take.
		params["plan_cache_mode"] = "force_generic_plan"
	} else {
		// Filters that are not set should not spoil the plan of those that are.
		params["plan_cache_mode"] = "force_custom_plan"
	}
	keepWarnings(cfg.ConnConfig)
	cfg.AfterConnect = registerBlobs
	if c.Configure != nil {
		c.Configure(cfg)
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("open %s pool: %w", c.Role, err)
	}
	return pool, nil
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(max(d.Milliseconds(), 1), 10) }

const warningKey = "skald_warning"

// keepWarnings notes on its connection that a warning came. A commit whose wait for a synchronous replica was cut short
// answers with nothing but a warning.
func keepWarnings(cfg *pgx.ConnConfig) {
	before := cfg.OnNotice
	cfg.OnNotice = func(conn *pgconn.PgConn, n *pgconn.Notice) {
		if n.SeverityUnlocalized == "WARNING" {
			conn.CustomData()[warningKey] = n.Message
		}
		if before != nil {
			before(conn, n)
		}
	}
}
