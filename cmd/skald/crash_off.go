//go:build !crashpoints

package main

import (
	"context"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/skaldhq/skald/migrations"
	"github.com/skaldhq/skald/orchestrator"
)

// crashHooks are where a test build (tag crashpoints) kills itself. An ordinary build has none of it.
type crashHooks struct{}

func newCrash() (crashHooks, error) { return crashHooks{}, nil }

func (crashHooks) pool() func(*pgxpool.Config) { return nil }

func (crashHooks) engine(*orchestrator.Config) {}

func (crashHooks) leaving() {}

func (crashHooks) migrate(ctx context.Context, dsn string) ([]int64, error) {
	return migrations.Up(ctx, dsn)
}
