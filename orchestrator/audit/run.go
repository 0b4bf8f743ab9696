package audit

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/definition"
	"github.com/skaldhq/skald/orchestrator/internal/stored"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// Config is what is audited. Store is required; zero fields take the defaults.
type Config struct {
	Store Store

	// Filters of sagas. Where one is set, sagas alone are checked: no outbox, keys or operator actions.
	ID           saga.ID
	Saga         string // the definition's name
	Version      int
	CreatedSince time.Time

	Overdue time.Duration // how late is a problem, of wake times and of the outbox; 0: 5 min
	Page    int           // sagas read at once; 0: 256
	Workers int           // pages checked at once; 0: 2
	Limit   int           // problems told in full, all are counted; 0: 1,000
	Again   time.Duration // after which what may pass by itself is looked at again; 0: 3 s
	// Compile reads a stored definition; nil: definition.Read. It is safe for concurrent use.
	Compile  func(name string, content []byte) (*saga.Definition, error)
	Progress func(Checked) // called now and then, one call at a time; nil: nobody looks
}

// Run audits. An error says that the source could not be read; the report then tells what was checked until then. It is safe to
// run beside the engine, and changes nothing.
func Run(ctx context.Context, cfg Config) (Report, error) {
	def := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	def(&cfg.Page, 256)
	def(&cfg.Workers, 2)
	def(&cfg.Limit, 1000)
	if cfg.Overdue <= 0 {
		cfg.Overdue = 5 * time.Minute
	}
	if cfg.Again <= 0 {
		cfg.Again = 3 * time.Second
	}
	a := newAuditor(cfg)
	err := a.run(ctx)
	sortProblems(a.report.Problems)
	return a.report, err
}

type auditor struct {
	cfg   Config
	kinds map[Kind]kindInfo
	since time.Time // from when on sagas must be there

	mu     sync.Mutex // guards what follows
	report Report
	defs   map[defKey]*compiled
}

func newAuditor(cfg Config) *auditor {
	return &auditor{cfg: cfg, defs: map[defKey]*compiled{}, kinds: kinds(), report: Report{Problems: []Problem{}, Found: map[Kind]int{}}}
}

type defKey struct {
	tenant, name string
	version      int
}

// compiled is a definition, or what is wrong with it.
type compiled struct {
	def  *saga.Definition // nil: it cannot be had
	kind Kind             // what is wrong; empty: nothing
	what string
}

func (a *auditor) run(ctx context.Context) error {
	scope, err := a.cfg.Store.AuditScope(ctx)
	if err != nil {
		return fmt.Errorf("see what there is to audit: %w", err)
	}
	a.since = scope.SagasSince
	for _, tenant := range scope.Tenants {
		if err := a.sagas(ctx, tenant); err != nil {
			return err
		}
		if a.filtered() {
			continue
		}
		for _, kind := range []orchestrator.ClaimKind{orchestrator.ClaimBusinessKey, orchestrator.ClaimIdempotencyKey} {
			if err := a.keys(ctx, kind, tenant); err != nil {
				return err
			}
		}
		if err := a.actions(ctx, tenant); err != nil {
			return err
		}
	}
	if a.filtered() {
		return nil
	}
	if err := a.outbox(ctx); err != nil {
		return err
	}
	return a.strays(ctx)
}

func (a *auditor) filtered() bool {
	return !a.cfg.ID.IsZero() || a.cfg.Saga != "" || !a.cfg.CreatedSince.IsZero()
}

func (a *auditor) query(tenant string) SagaQuery {
	return SagaQuery{Tenant: tenant, Limit: a.cfg.Page, ID: a.cfg.ID, Saga: a.cfg.Saga, Version: a.cfg.Version, CreatedSince: a.cfg.CreatedSince}
}

// sagas reads pages one after another and checks some at once. Sagas whose problem may pass by itself are looked at again.
func (a *auditor) sagas(ctx context.Context, tenant string) error {
	var mu sync.Mutex // guards again
	var again []saga.ID
	group, grouped := errgroup.WithContext(ctx)
	group.SetLimit(a.cfg.Workers)
	for q := a.query(tenant); ; {
		slice, err := a.cfg.Store.AuditSagas(grouped, q)
		if err != nil {
			return errors.Join(group.Wait(), fmt.Errorf("read sagas of %s after %s: %w", tenant, q.After, err))
		}
		group.Go(func() error {
			passing, err := a.check(grouped, &slice, true)
			mu.Lock()
			defer mu.Unlock()
			again = append(again, passing...)
			return err
		})
		if len(slice.Sagas) < q.Limit {
			break
		}
		q.After = slice.Sagas[len(slice.Sagas)-1].ID
	}
	if err := group.Wait(); err != nil || len(again) == 0 {
		return err
	}
	timer := time.NewTimer(a.cfg.Again)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	for _, id := range again {
		slice, err := a.cfg.Store.AuditSagas(ctx, SagaQuery{Tenant: tenant, ID: id, Limit: 1})
		if err != nil {
			return fmt.Errorf("read saga %s again: %w", id, err)
		}
		if _, err := a.check(ctx, &slice, false); err != nil {
			return err
		}
	}
	return nil
}

// check looks at the sagas of a slice. At first it answers those whose problem may pass by itself, and says nothing about them.
func (a *auditor) check(ctx context.Context, slice *Slice, first bool) (passing []saga.ID, err error) {
	var done Checked
	for i := range slice.Sagas {
		row := &slice.Sagas[i]
		def, err := a.definition(ctx, row)
		if err != nil {
			return nil, err
		}
		c := &sagaCheck{row: row, slice: slice, def: def.def, overdue: a.cfg.Overdue}
		found := c.run()
		if def.kind != "" {
			found = append(found, finding{kind: def.kind, what: def.what})
		}
		done.Sagas++
		done.Facts += len(row.Facts)
		if !row.Status.Terminal() {
			done.Live++
		}
		if first && mayPass(found) {
			passing = append(passing, row.ID)
			continue
		}
		for _, f := range found {
			a.problem(Problem{Kind: f.kind, Tenant: row.Tenant, Saga: row.ID, Target: f.target, What: f.what})
		}
	}
	if first {
		a.checked(done)
	}
	return passing, nil
}

// mayPass reports whether a saga has a problem of the kind that passes: a command that the broker has just refused is out of the
// outbox for a moment before its saga is told.
func mayPass(found []finding) bool {
	for _, f := range found {
		if f.kind == CommandLost || f.kind == Overdue {
			return true
		}
	}
	return false
}

// definition is that of a saga, compiled once. The answer is never nil without an error.
func (a *auditor) definition(ctx context.Context, row *Saga) (*compiled, error) {
	key := defKey{row.Tenant, row.Saga, row.Version}
	if in, err := saga.DecodeInstance(row.Instance); err == nil { // the column may be what is wrong
		key = defKey{in.Tenant, in.Saga, in.Version}
	}
	a.mu.Lock()
	known := a.defs[key]
	a.mu.Unlock()
	if known != nil {
		return known, nil
	}
	found, err := a.compile(ctx, key)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.defs[key] = found
	return found, nil
}

func (a *auditor) compile(ctx context.Context, key defKey) (*compiled, error) {
	name := fmt.Sprintf("%s@%d", key.name, key.version)
	row, err := a.cfg.Store.Definition(ctx, key.tenant, key.name, key.version)
	switch {
	case errors.Is(err, orchestrator.ErrNotFound):
		return &compiled{kind: DefinitionMissing, what: "its definition " + name + " is not there"}, nil
	case errors.Is(err, stored.ErrFormat):
		return &compiled{kind: DefinitionMissing, what: "its definition " + name + " cannot be read: " + err.Error()}, nil
	case err != nil:
		return nil, fmt.Errorf("read definition %s: %w", name, err)
	}
	read := definition.Read
	if a.cfg.Compile != nil {
		read = a.cfg.Compile
	}
	def, err := read(key.name, row.Content)
	switch {
	case err != nil:
		return &compiled{kind: DefinitionMissing, what: "its definition " + name + " cannot be read: " + err.Error()}, nil
	case def.Hash != row.Hash:
		return &compiled{def: def, kind: DefinitionChanged, what: "the content of its definition " + name + " is not what was registered"}, nil
	case def.Name != key.name || def.Version != key.version:
		return &compiled{kind: DefinitionChanged, what: fmt.Sprintf("its definition %s says that it is %s@%d", name, def.Name, def.Version)}, nil
	}
	return &compiled{def: def}, nil
}

func (a *auditor) keys(ctx context.Context, kind orchestrator.ClaimKind, tenant string) error {
	for after := (Key{}); ; {
		page, err := a.cfg.Store.AuditKeys(ctx, kind, tenant, after, keysAtOnce)
		if err != nil {
			return fmt.Errorf("read %s keys of %s: %w", kind, tenant, err)
		}
		for i := range page.Keys {
			for _, p := range checkKey(kind, tenant, &page.Keys[i], &page, a.since) {
				a.problem(p)
			}
			after = page.Keys[i].Key
		}
		a.checked(Checked{Keys: len(page.Keys)})
		if len(page.Keys) < keysAtOnce {
			return nil
		}
	}
}

// How much is read at once.
const (
	keysAtOnce    = 2000
	outboxAtOnce  = 16
	actionsAtOnce = 1000
	shardsAtOnce  = 256
)

func (a *auditor) outbox(ctx context.Context) error {
	for after := (saga.BatchID{}); ; {
		page, err := a.cfg.Store.AuditOutbox(ctx, after, outboxAtOnce)
		if err != nil {
			return fmt.Errorf("read the outbox after %s: %w", after, err)
		}
		for i := range page.Rows {
			for _, p := range checkOutboxRow(&page.Rows[i], &page, a.cfg.Overdue) {
				a.problem(p)
			}
			after = page.Rows[i].Batch
		}
		a.checked(Checked{Outbox: len(page.Rows)})
		if len(page.Rows) < outboxAtOnce {
			return nil
		}
	}
}

func (a *auditor) strays(ctx context.Context) error {
	const shards = 1 << saga.ShardBits
	for from := 0; from < shards; from += shardsAtOnce {
		ids, err := a.cfg.Store.AuditHistory(ctx, uint16(from), uint16(from+shardsAtOnce-1), a.cfg.Limit)
		if err != nil {
			return fmt.Errorf("look for histories without a saga: %w", err)
		}
		for _, id := range ids {
			a.problem(Problem{Kind: HistoryWithoutSaga, Saga: id, What: "there is a history, and no saga"})
		}
	}
	return nil
}

func (a *auditor) problem(p Problem) {
	p.Guarantee, p.Next = a.kinds[p.Kind].guarantee, a.kinds[p.Kind].next
	a.mu.Lock()
	defer a.mu.Unlock()
	a.report.Found[p.Kind]++
	if len(a.report.Problems) < a.cfg.Limit {
		a.report.Problems = append(a.report.Problems, p)
	}
}

func (a *auditor) checked(c Checked) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.report.Checked.add(c)
	if a.cfg.Progress != nil {
		a.cfg.Progress(a.report.Checked)
	}
}
