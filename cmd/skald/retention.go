package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/skaldhq/skald/configs"
	"github.com/skaldhq/skald/orchestrator/postgres"
)

// retentionCmd does what the keeper of a replica does hourly.
type retentionCmd struct {
	DryRun bool `help:"Show what would be done, and change nothing."`

	Retention configs.Retention `embed:"" prefix:"retention-" envprefix:"SKALD_RETENTION_"`
	databaseFlags
}

// Help is shown under the command's usage.
func (retentionCmd) Help() string {
	return `Sagas that have ended longer ago than their policy lose their payloads: input, outputs, and what commands carried. Once a week is past the longest policy and no saga in it is live, it is detached as a whole, and with --retention-drop its tables are dropped. Replicas with the same settings do this hourly by themselves; weeks take the owner of the tables. It may be stopped, and goes on where it was.

Examples:

  skald retention --dry-run --retention-default 365d --retention-sagas order-placement=30d
  skald retention --config /etc/skald.yaml --retention-drop`
}

// Run removes what is past its policy.
func (cmd *retentionCmd) Run(ctx context.Context, term *console) error {
	dsn, err := cmd.dsn()
	if err != nil {
		return err
	}
	policy, err := retentionOf(cmd.Retention)
	if err != nil {
		return &hinted{code: exitUsage, err: err}
	}
	if !policy.Any() {
		return hint(wrongUsage("nothing has a retention: every saga is kept for ever"), "skald retention --dry-run --retention-default 90d")
	}
	if err := checkSchema(ctx, dsn); err != nil {
		return reachDatabase(err)
	}
	pool, err := postgres.OpenRetention(ctx, dsn)
	if err != nil {
		return err
	}
	defer pool.Close()
	policy.DryRun = cmd.DryRun
	clear := func() {}
	if isTerminal(term.err) && !term.json {
		policy.Progress, clear = retentionProgress(term.err)
	}
	done, err := postgres.Retain(ctx, pool, policy)
	clear()
	if told := tellRetention(term, &done); told != nil && err == nil {
		err = told
	}
	switch {
	case errors.Is(err, postgres.ErrNotOwner):
		return hint(err, "run it as the role that owns the tables of schema skald: the one that ran `skald migrate up`")
	case errors.Is(err, postgres.ErrRetaining):
		return hint(err, "a replica or another person is at it: look again in some minutes")
	}
	return err
}

// retentionOf reads the settings.
func retentionOf(cfg configs.Retention) (postgres.Retention, error) {
	sagas, err := cfg.Policies()
	if err != nil {
		return postgres.Retention{}, fmt.Errorf("retention.sagas: %w", err)
	}
	policy := postgres.Retention{Default: time.Duration(cfg.Default), Sagas: sagas, Drop: cfg.Drop, Rate: cfg.Rate}
	return policy, policy.Validate()
}

// retentionProgress writes on one line of a terminal; end takes the line away.
func retentionProgress(w io.Writer) (step func(postgres.Retained), end func()) {
	step = func(done postgres.Retained) {
		sagas := 0
		for _, b := range done.Blanked {
			sagas += b.Sagas
		}
		fmt.Fprintf(w, "\r\x1b[K%s looked at, payloads of %s", count(len(done.Weeks), "week"), count(sagas, "saga"))
	}
	return step, func() { fmt.Fprint(w, "\r\x1b[K") }
}

func tellRetention(term *console, done *postgres.Retained) error {
	if term.json {
		return writeJSON(term.out, done)
	}
	if done.DryRun {
		fmt.Fprintln(term.out, term.style.dim("Nothing is changed. This is what would be done:"))
	}
	if len(done.Weeks) > 0 {
		rows := [][]string{{"week", "sagas", "live", "size", ""}}
		kept := false
		for _, w := range done.Weeks {
			rows = append(rows, []string{w.Monday, strconv.FormatInt(w.Sagas, 10), strconv.FormatInt(w.Live, 10), size(w.Bytes), weekFate(done, &w, kept)})
			kept = kept || !w.Detached
		}
		table(term.out, term.style, rows, nil)
	}
	if len(done.Blanked) > 0 {
		rows := [][]string{{"definition", "older than", "sagas", "smaller by", ""}}
		for _, b := range done.Blanked {
			note := "payloads removed"
			if done.DryRun {
				note = "payloads would be removed"
			}
			if b.Unreadable > 0 {
				note += fmt.Sprintf("; %d cannot be read: skald audit --saga %s", b.Unreadable, b.Saga)
			}
			rows = append(rows, []string{b.Saga, configs.Span(b.Policy).String(), strconv.Itoa(b.Sagas), size(b.Bytes), note})
		}
		table(term.out, term.style, rows, nil)
	}
	for _, t := range done.Dropped {
		fmt.Fprintf(term.out, "dropped skald.%s (%s)\n", t.Name, size(t.Bytes))
	}
	if done.Keys > 0 {
		fmt.Fprintf(term.out, "%s of sagas that are gone forgotten\n", count(done.Keys, "business key"))
	}
	if len(done.Weeks)+len(done.Blanked)+len(done.Dropped) == 0 {
		fmt.Fprintln(term.out, "Nothing is past its retention.")
	}
	if done.Longest == 0 {
		fmt.Fprintln(term.out, term.style.dim("Some sagas are kept for ever (retention.default, or a definition's own policy is 0), so no week leaves."))
	}
	return nil
}

func weekFate(done *postgres.Retained, w *postgres.RetainedWeek, kept bool) string {
	switch {
	case w.Detached && done.DryRun:
		return "would be detached"
	case w.Detached:
		return "detached"
	case w.Live > 0:
		return "stays: " + count(int(w.Live), "saga") + " live in it"
	case kept:
		return "stays: an earlier week stays"
	}
	return "stays"
}

// size writes bytes as people read them.
func size(n int64) string {
	for _, unit := range []struct {
		name  string
		bytes int64
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if n >= unit.bytes {
			return fmt.Sprintf("%.1f %s", float64(n)/float64(unit.bytes), unit.name)
		}
	}
	return fmt.Sprintf("%d B", n)
}

const (
	retainFirst = time.Minute // after the start
	retainEvery = time.Hour
)

// retain does retention hourly, on whichever replica comes first. It returns when ctx ends, or at once where nothing has a policy.
func (r *replica) retain(ctx context.Context) error {
	policy, err := retentionOf(r.cfg.Retention)
	if err != nil || !policy.Any() {
		return err
	}
	policy.Actor = "skald"
	timer := time.NewTimer(retainFirst)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		r.retainOnce(ctx, policy)
		timer.Reset(retainEvery)
	}
}

func (r *replica) retainOnce(ctx context.Context, policy postgres.Retention) {
	pool, err := postgres.OpenRetention(ctx, r.cfg.Database.URL.Reveal())
	var done postgres.Retained
	if err == nil {
		done, err = postgres.Retain(ctx, pool, policy)
		pool.Close()
	}
	sagas, detached := 0, 0
	for _, b := range done.Blanked {
		sagas += b.Sagas
	}
	for _, w := range done.Weeks {
		if w.Detached {
			detached++
		}
	}
	if sagas+detached+len(done.Dropped)+done.Keys > 0 {
		r.log.InfoContext(ctx, "retention is done", "sagas_blanked", sagas, "weeks_detached", detached, "tables_dropped", len(done.Dropped), "keys_removed", done.Keys)
	}
	switch {
	case err == nil, ctx.Err() != nil, errors.Is(err, postgres.ErrRetaining):
	case errors.Is(err, postgres.ErrNotOwner):
		r.log.WarnContext(ctx, "weeks are past their retention and stay: their owner must run skald retention", "error", err)
	default:
		r.log.WarnContext(ctx, "retention is tried again within the hour", "error", err)
	}
}
