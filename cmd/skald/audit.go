package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/skaldhq/skald/orchestrator/audit"
	"github.com/skaldhq/skald/orchestrator/postgres"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// The exit codes of an audit beside 0, as its help tells them.
const (
	exitAuditProblems = 1
	exitAuditUnread   = 2
)

// auditCmd are the commands that look whether what is stored is what was promised.
type auditCmd struct {
	Sagas  auditSagasCmd  `cmd:"" default:"withargs" help:"Check every saga and all that belongs to it."`
	Verify auditVerifyCmd `cmd:"" help:"Check the record of operator actions alone: its hash chain, and that each is in its saga."`
	List   auditListCmd   `cmd:"" help:"List what operators did, through the API of a server."`

	databaseFlags
}

// Help is shown under the command's usage.
func (auditCmd) Help() string {
	return `Reads the database as it is in use, changes nothing, and locks nothing. Each history is folded anew and compared with what is stored (S3, S4); nothing may be silently stuck (L2); certificates must say what the facts say; every committed command must be in the outbox or have its receipt (S6); keys and answers must lead to sagas.

Exit codes: 0 nothing is wrong, 1 problems were found, 2 it could not be read.

Examples:

  skald audit --database-url postgres://skald@db:5432/skald
  skald audit --saga order-placement@2 --since 24h -o json
  skald audit --id 019aa000-0000-7000-8000-000000000000
  skald audit verify
  skald audit list --actor ada --since 24h`
}

type auditSagasCmd struct {
	ID      string        `placeholder:"ID" help:"That saga alone."`
	Saga    string        `placeholder:"NAME[@VERSION]" help:"Sagas of that definition alone."`
	Since   time.Duration `placeholder:"SPAN" help:"Sagas started since then alone, such as 24h."`
	Overdue time.Duration `default:"5m" help:"How late is a problem."`
	Limit   int           `default:"1000" help:"Problems that are told in full; all are counted."`
	Workers int           `default:"2" hidden:"" help:"Pages checked at once."`
}

// Run audits.
func (cmd *auditSagasCmd) Run(ctx context.Context, term *console, all *cli) error {
	cfg := audit.Config{Overdue: cmd.Overdue, Limit: cmd.Limit, Workers: cmd.Workers}
	if cmd.ID != "" {
		id, err := saga.ParseID(cmd.ID)
		if err != nil {
			return wrongUsage("--id %s: %w", cmd.ID, err)
		}
		cfg.ID = id
	}
	if cmd.Saga != "" {
		name, version, versioned := strings.Cut(cmd.Saga, "@")
		cfg.Saga = name
		if n, err := strconv.Atoi(version); versioned && (err != nil || n < 1) {
			return wrongUsage("--saga %s: want a name, or a name and a version such as order-placement@2", cmd.Saga)
		} else if versioned {
			cfg.Version = n
		}
	}
	if cmd.Since > 0 {
		cfg.CreatedSince = time.Now().Add(-cmd.Since)
	}
	done := func() {}
	if isTerminal(term.err) {
		cfg.Progress, done = progress(term.err)
	}
	return all.Audit.run(ctx, term, func(ctx context.Context, store audit.Store) (audit.Report, error) {
		cfg.Store = store
		report, err := audit.Run(ctx, cfg)
		done()
		return report, err
	})
}

type auditVerifyCmd struct{}

// Run checks the record of operator actions.
func (auditVerifyCmd) Run(ctx context.Context, term *console, all *cli) error {
	return all.Audit.run(ctx, term, audit.VerifyActions)
}

// run opens the database, audits, and tells what it came to.
func (cmd *auditCmd) run(ctx context.Context, term *console, look func(context.Context, audit.Store) (audit.Report, error)) error {
	dsn, err := cmd.dsn()
	if err != nil {
		return err
	}
	if err := checkSchema(ctx, dsn); err != nil {
		return unread(reachDatabase(err))
	}
	pool, err := postgres.OpenPool(ctx, postgres.PoolConfig{DSN: dsn, Role: postgres.RoleAudit, MaxConns: 2})
	if err != nil {
		return unread(err)
	}
	defer pool.Close()
	began := time.Now()
	report, err := look(ctx, postgres.New(postgres.Config{Engine: pool}))
	if err != nil {
		return unread(err)
	}
	if err := tellAudit(term, &report, time.Since(began)); err != nil {
		return err
	}
	if !report.Clean() {
		return errSilent{exitAuditProblems}
	}
	return nil
}

// unread is an audit that could not be made. It keeps what to do next, and takes the exit code that stands for it.
func unread(err error) error {
	var h *hinted
	if errors.As(err, &h) {
		return &hinted{code: exitAuditUnread, err: err, hints: h.hints}
	}
	return &hinted{code: exitAuditUnread, err: err}
}

// progress writes on one line of a terminal, at most ten times a second; end takes the line away.
func progress(w io.Writer) (step func(audit.Checked), end func()) {
	var mu sync.Mutex // guards last
	var last time.Time
	step = func(c audit.Checked) {
		mu.Lock()
		defer mu.Unlock()
		if time.Since(last) < 100*time.Millisecond {
			return
		}
		last = time.Now()
		fmt.Fprintf(w, "\r\x1b[K%d sagas, %d facts, %d keys", c.Sagas, c.Facts, c.Keys)
	}
	return step, func() { fmt.Fprint(w, "\r\x1b[K") }
}

func tellAudit(term *console, report *audit.Report, span time.Duration) error {
	if term.json {
		return writeJSON(term.out, struct {
			*audit.Report
			TookMS int64 `json:"took_ms"`
		}{report, span.Milliseconds()})
	}
	if len(report.Problems) > 0 {
		rows := [][]string{{"saga", "problem", "what is wrong"}}
		for _, p := range report.Problems {
			what := p.What
			if p.Target != "" {
				what = p.Target + ": " + what
			}
			id := ""
			if !p.Saga.IsZero() {
				id = p.Saga.String()
			}
			rows = append(rows, []string{id, string(p.Kind) + " (" + p.Guarantee + ")", clip(what, 300)})
		}
		table(term.out, term.style, rows, func(column int, _ string) func(string) string {
			return []func(string) string{term.style.dim, term.style.bad, nil}[column]
		})
		fmt.Fprintln(term.out)
		told := map[audit.Kind]bool{}
		for _, p := range report.Problems {
			if !told[p.Kind] {
				told[p.Kind] = true
				fmt.Fprintf(term.out, "%s %s: %s\n", term.style.dim("  next:"), p.Kind, p.Next)
			}
		}
	}
	found := 0
	for _, n := range report.Found {
		found += n
	}
	c := report.Checked
	fmt.Fprintf(term.err, "%s (%d live), %s, %s, %s, %s: ", count(c.Sagas, "saga"), c.Live, count(c.Facts, "fact"),
		count(c.Outbox, "outbox row"), count(c.Keys, "key"), count(c.Actions, "operator action"))
	if found == 0 {
		fmt.Fprintf(term.err, "%s, in %s\n", term.style.good("nothing is wrong"), took(span))
		return nil
	}
	fmt.Fprintf(term.err, "%s, in %s\n", term.style.bad(count(found, "problem")), took(span))
	return nil
}
