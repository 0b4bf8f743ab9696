package orchestrator

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// Holds keeps what stops sagas from outside (design rule 10). It is safe for concurrent use.
type Holds interface {
	// PutHold sets an operator's hold from now on, in one transaction with its audit row, and answers its id.
	PutHold(ctx context.Context, h Hold, audit Audit) (int64, error)
	// EndHold ends a hold now, letting sagas go over spread, in one transaction with its audit row. One that was ended already and
	// still lets sagas go lets the rest go now, where spread is 0. ErrNotFound where the tenant has none of that id in force.
	EndHold(ctx context.Context, tenant string, id int64, spread time.Duration, audit Audit) error
	// Holds lists the tenant's holds that nobody has ended, and those that still let sagas go, oldest first.
	Holds(ctx context.Context, tenant string) ([]HoldRow, error)
	// Hold reads one hold, whatever its state; ErrNotFound.
	Hold(ctx context.Context, tenant string, id int64) (HoldRow, error)
	// Held lists live sagas with a step that waits for a hold, those of one participant, or with "" of any; of one tenant, or with ""
	// of all. They come by id, after one.
	Held(ctx context.Context, tenant, participant string, after saga.ID, limit int) ([]saga.ID, error)
	// Trip opens a breaker, in one transaction with its audit row: with an ID of 0 a new one of the row's tenant, name and trips,
	// unless one is open already; else that one again, if it has the row's trips and lets sagas try. It begins to let sagas try
	// after pause, and goes on for TryFor. opened is false where somebody was faster; nothing is written then.
	Trip(ctx context.Context, row HoldRow, pause time.Duration, audit Audit) (opened bool, err error)
	// NoteQuiet notes that no command is in flight under a hold any more, unless that is known already.
	NoteQuiet(ctx context.Context, tenant string, id int64) error
}

// HoldRow is a hold with the id under which it can be ended.
type HoldRow struct {
	ID int64
	At time.Time // the database's time, when it was read
	Hold
}

// State is where the hold stood when it was read.
func (r *HoldRow) State() HoldState { return r.Hold.State(r.At) }

// PutHold sets a hold from now on; every replica's next transaction knows it. An operator's of the same scope, name and version
// that is in force already is answered instead (set is false). *InputError lists all that is wrong.
func (e *Engine) PutHold(ctx context.Context, h Hold, by, requestID string) (row HoldRow, set bool, err error) {
	if err := checkHold(&h); err != nil {
		return row, false, err
	}
	h.Kind, h.By = HoldOperator, by
	same := func(r HoldRow) bool {
		return r.Kind == HoldOperator && r.Scope == h.Scope && r.Name == h.Name && r.Version == h.Version && r.To.IsZero()
	}
	if row, found, err := e.findHold(ctx, h.Tenant, same); found || err != nil {
		return row, false, err
	}
	id, err := e.cfg.Holds.PutHold(ctx, h, Audit{Tenant: h.Tenant, Actor: by, From: RemoteOf(ctx), Action: "hold.set", Target: h.Target(), Reason: h.Reason, RequestID: requestID})
	if err != nil {
		return row, false, fmt.Errorf("hold %s: %w", h.Target(), err)
	}
	e.around.forget()
	row, err = e.cfg.Holds.Hold(ctx, h.Tenant, id)
	if err != nil {
		return row, false, fmt.Errorf("read hold %d: %w", id, err)
	}
	return row, true, nil
}

func (e *Engine) findHold(ctx context.Context, tenant string, is func(HoldRow) bool) (row HoldRow, found bool, err error) {
	rows, err := e.Holds(ctx, tenant)
	if err != nil {
		return row, false, fmt.Errorf("list holds: %w", err)
	}
	i := slices.IndexFunc(rows, is)
	if i < 0 {
		return row, false, nil
	}
	return rows[i], true, nil
}

// Release says how a hold ends.
type Release struct {
	Rate      int // sagas a second; 0: all at once
	By        string
	Reason    string
	RequestID string
}

// longestRelease bounds what a small rate and many sagas come to.
const longestRelease = 7 * 24 * time.Hour

// EndHold ends a hold now, or lets the sagas that wait for it go at a rate. They go on within seconds; timers go on with the time that they had left. One that lets sagas go already lets the rest go at once; a
// *InputError where a rate is asked of it. ErrNotFound where the tenant has none of that id in force.
func (e *Engine) EndHold(ctx context.Context, tenant string, id int64, r Release) error {
	row, err := e.cfg.Holds.Hold(ctx, tenant, id)
	if err != nil {
		return fmt.Errorf("end hold %d: %w", id, err)
	}
	if row.State() == HoldEnded && !row.To.IsZero() {
		return ErrNotFound
	}
	var spread time.Duration
	var detail json.RawMessage
	if r.Rate > 0 {
		if !row.To.IsZero() {
			return &InputError{Message: "the hold lets sagas go already", Fields: []FieldError{{"rate", "leave it out to let the rest go at once"}}}
		}
		n, err := e.countHeld(ctx, &row)
		if err == nil && !n.Exact {
			err = e.countMany(ctx, &row, &n)
		}
		if err != nil {
			return fmt.Errorf("end hold %d: %w", id, err)
		}
		spread = min(time.Duration(n.Held)*time.Second/time.Duration(r.Rate), longestRelease)
		detail = json.RawMessage(fmt.Sprintf(`{"rate":%d,"held":%d,"seconds":%d}`, r.Rate, n.Held, int(spread.Seconds())))
	}
	err = e.cfg.Holds.EndHold(ctx, tenant, id, spread, Audit{
		Tenant: tenant, Actor: r.By, From: RemoteOf(ctx), Action: "hold.end", Target: row.Target(), Reason: r.Reason, RequestID: r.RequestID, Detail: detail,
	})
	if err != nil {
		return fmt.Errorf("end hold %d: %w", id, err)
	}
	e.around.forget()
	return nil
}

// Holds lists the holds that the tenant has and that still stop something, oldest first.
func (e *Engine) Holds(ctx context.Context, tenant string) ([]HoldRow, error) {
	rows, err := e.cfg.Holds.Holds(ctx, tenant)
	return slices.DeleteFunc(rows, func(r HoldRow) bool { return r.State() == HoldEnded }), err
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

// envOf is what Decide would be told of the surroundings, limits among them.
func (e *Engine) envOf(at time.Time, holds []Hold, tenant string, id saga.ID, def *saga.Definition, sent []saga.Sent) saga.Env {
	env := envOf(at, holds, tenant, id, def, sent)
	env.Limits = e.limits.around(tenant, def)
	return env
}

// envOf is what Decide would be told of the surroundings but for limits.
func envOf(at time.Time, holds []Hold, tenant string, id saga.ID, def *saga.Definition, sent []saga.Sent) saga.Env {
	return saga.Env{At: at, Holds: HoldsFor(holds, tenant, id, def), Sent: sent}
}
