package orchestrator

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// Holds keeps what stops sagas from outside (design rule 10). It is safe for concurrent use.
type Holds interface {
	// PutHold sets a hold from now on, in one transaction with its audit row, and answers its id.
	PutHold(ctx context.Context, h Hold, audit Audit) (int64, error)
	// EndHold ends a hold now, in one transaction with its audit row; ErrNotFound where the tenant has none of that id in force.
	EndHold(ctx context.Context, tenant string, id int64, audit Audit) error
	// Holds lists the holds that the tenant set and that are in force, oldest first.
	Holds(ctx context.Context, tenant string) ([]HoldRow, error)
}

// HoldRow is a hold with the id under which it can be ended.
type HoldRow struct {
	ID int64
	Hold
}

// PutHold sets a hold from now on; every replica's next transaction knows it. One of the same scope, name and version that is in
// force already is answered instead (set is false). *InputError lists all that is wrong.
func (e *Engine) PutHold(ctx context.Context, h Hold, by, requestID string) (row HoldRow, set bool, err error) {
	if err := checkHold(&h); err != nil {
		return row, false, err
	}
	same := func(r HoldRow) bool { return r.Scope == h.Scope && r.Name == h.Name && r.Version == h.Version }
	if row, found, err := e.findHold(ctx, h.Tenant, same); found || err != nil {
		return row, false, err
	}
	id, err := e.cfg.Holds.PutHold(ctx, h, Audit{Tenant: h.Tenant, Actor: by, Action: "hold.set", Target: h.Target(), Reason: h.Reason, RequestID: requestID})
	if err != nil {
		return row, false, fmt.Errorf("hold %s: %w", h.Target(), err)
	}
	e.around.forget()
	row, found, err := e.findHold(ctx, h.Tenant, func(r HoldRow) bool { return r.ID == id })
	if err == nil && !found { // ended by somebody else in between
		return HoldRow{ID: id, Hold: h}, true, nil
	}
	return row, true, err
}

func (e *Engine) findHold(ctx context.Context, tenant string, is func(HoldRow) bool) (row HoldRow, found bool, err error) {
	rows, err := e.cfg.Holds.Holds(ctx, tenant)
	if err != nil {
		return row, false, fmt.Errorf("list holds: %w", err)
	}
	i := slices.IndexFunc(rows, is)
	if i < 0 {
		return row, false, nil
	}
	return rows[i], true, nil
}

// EndHold ends a hold now. What it stopped goes on by itself, at the latest when the sweep looks at it; timers go on with the
// time that they had left. ErrNotFound where the tenant has none of that id in force.
func (e *Engine) EndHold(ctx context.Context, tenant string, id int64, by, reason, requestID string) error {
	row, found, err := e.findHold(ctx, tenant, func(r HoldRow) bool { return r.ID == id })
	if err != nil {
		return err
	}
	if !found {
		return ErrNotFound
	}
	err = e.cfg.Holds.EndHold(ctx, tenant, id, Audit{Tenant: tenant, Actor: by, Action: "hold.end", Target: row.Target(), Reason: reason, RequestID: requestID})
	if err != nil {
		return fmt.Errorf("end hold %d: %w", id, err)
	}
	e.around.forget()
	return nil
}

// Holds lists the holds that the tenant set and that are in force, oldest first.
func (e *Engine) Holds(ctx context.Context, tenant string) ([]HoldRow, error) {
	return e.cfg.Holds.Holds(ctx, tenant)
}

// Target is what a hold stops, in words: `saga_type order-placement@2`, `participant payments`, `tenant`, `all`.
func (h *Hold) Target() string {
	switch {
	case h.Version > 0:
		return fmt.Sprintf("%s %s@%d", h.Scope, h.Name, h.Version)
	case h.Name != "":
		return fmt.Sprintf("%s %s", h.Scope, h.Name)
	}
	return string(h.Scope)
}

func checkHold(h *Hold) error {
	bad := &InputError{Message: "the hold is wrong"}
	wrong := func(path, message string) { bad.Fields = append(bad.Fields, FieldError{path, message}) }
	switch h.Scope {
	case HoldSagaType, HoldParticipant:
		if h.Name == "" {
			wrong("name", "a hold on a "+string(h.Scope)+" needs its name")
		}
	case HoldTenant, HoldAll:
		if h.Name != "" {
			wrong("name", "a hold on "+string(h.Scope)+" takes no name")
		}
	default:
		wrong("scope", "want saga_type, participant, tenant or all")
	}
	if h.Version != 0 && (h.Scope != HoldSagaType || h.Version < 0) {
		wrong("version", "only a hold on a saga_type takes a version, from 1 on")
	}
	if h.Reason == "" {
		wrong("reason", "a hold needs a reason")
	}
	if len(bad.Fields) > 0 {
		return bad
	}
	return nil
}

// aroundFor is how long answers to people may go on with the holds that were read last.
const aroundFor = time.Second

// around is what a saga's surroundings say: the database's clock and the holds. Rehearsals read them anew; answers to why a saga
// waits share what was read within aroundFor.
type around struct {
	store Store
	clock Clock

	mu    sync.Mutex // guards what follows
	holds []Hold
	at    time.Time // the database's, as it was read
	read  time.Time // this replica's, then; zero: nothing is known
}

// now asks the database, by a transaction that writes nothing.
func (a *around) now(ctx context.Context) (at time.Time, holds []Hold, err error) {
	tx, err := a.store.Begin(ctx, Need{})
	if err != nil {
		return at, nil, fmt.Errorf("read clock and holds: %w", err)
	}
	defer tx.Rollback(ctx)
	at, holds = tx.At(), tx.Holds()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.holds, a.at, a.read = holds, at, a.clock.Now()
	return at, holds, nil
}

// lately is now, or what now answered within aroundFor.
func (a *around) lately(ctx context.Context) (at time.Time, holds []Hold, err error) {
	a.mu.Lock()
	age := a.clock.Now().Sub(a.read)
	known := !a.read.IsZero() && age >= 0 && age < aroundFor
	at, holds = a.at.Add(age), a.holds
	a.mu.Unlock()
	if known {
		return at, holds, nil
	}
	return a.now(ctx)
}

// forget has the next look ask the database.
func (a *around) forget() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.read = time.Time{}
}

// envOf is what Decide would be told of the surroundings.
func envOf(at time.Time, holds []Hold, tenant string, def *saga.Definition, sent []saga.Sent) saga.Env {
	return saga.Env{At: at, Holds: HoldsFor(holds, tenant, def), Sent: sent}
}
