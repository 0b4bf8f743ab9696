package orchestrator

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// Limits keeps bounds on how much goes on at once (design rule 10). It is safe for concurrent use.
type Limits interface {
	// PutLimit sets a limit, or replaces the one of the same tenant, scope and name, in one transaction with its audit row.
	PutLimit(ctx context.Context, l Limit, audit Audit) error
	// RemoveLimit takes a limit away, in one transaction with its audit row; ErrNotFound.
	RemoveLimit(ctx context.Context, tenant string, scope HoldScope, name string, audit Audit) error
	// Limits lists the tenant's limits, by scope and name, with how far each is.
	Limits(ctx context.Context, tenant string) ([]LimitUse, error)
	// LookAtLimits answers every tenant's limits and how far each is, and notes that the replica has looked. Without any limit it
	// writes nothing.
	LookAtLimits(ctx context.Context, replica string) (LimitLook, error)
	// Limited lists live sagas after an id with a step that waits for a limit of the scope, the oldest first. One that waits for
	// another limit may be among them.
	Limited(ctx context.Context, tenant string, scope HoldScope, name string, after saga.ID, limit int) ([]saga.ID, error)
}

// LimitReplicas is how long a replica that has looked at limits counts among those that share their room.
const LimitReplicas = 30 * time.Second

// Limit bounds how much of one definition, or of one participant, goes on at once.
type Limit struct {
	Tenant   string
	Scope    HoldScope // saga_type or participant
	Name     string
	Sagas    int // of a saga_type: live sagas that have begun; 0: no bound
	Commands int // commands that are out; 0: no bound
	Reason   string
	By       string    // who set it
	At       time.Time // when, by the database's clock
}

// LimitUse is a limit and how far it is.
type LimitUse struct {
	Limit
	Begun   int // live sagas of which a command was created; of a participant 0
	Out     int // commands that are out: sent, or backing off to be sent again
	Waiting int // steps that wait for a limit
}

// LimitLook is what one look at all limits saw.
type LimitLook struct {
	Uses     []LimitUse
	Replicas int // that looked within LimitReplicas, this one included
}

// What a row's waits say beside causes (see Write.Blocked): a step that waits for a limit, and a saga that has not begun.
const (
	WaitsLimit   = "limit"
	WaitsUnbegun = "unbegun"
)

// Add counts n live sagas of a definition whose waits have a label; the empty label stands for the saga itself.
func (u *LimitUse) Add(sagaType, label string, n int) {
	cause, participant, _ := strings.Cut(label, " ")
	if u.Scope == HoldParticipant && participant != u.Name || u.Scope == HoldSagaType && sagaType != u.Name {
		return // of a participant neither sagas nor what has not begun
	}
	switch cause {
	case "":
		u.Begun += n
	case WaitsUnbegun:
		u.Begun -= n
	case WaitsLimit:
		u.Waiting += n
	case string(saga.CauseReply), string(saga.CauseBackoff):
		u.Out += n
	}
}

// Target is what a limit bounds, in words: `participant payments`.
func (l *Limit) Target() string { return fmt.Sprintf("%s %s", l.Scope, l.Name) }

// Concerns reports whether the limit bounds something of a definition.
func (l *Limit) Concerns(tenant string, def *saga.Definition) bool {
	h := Hold{Tenant: l.Tenant, Scope: l.Scope, Name: l.Name}
	return h.concerns(tenant, def)
}

// Participant is the one whose commands the limit bounds; empty: it bounds a definition.
func (l *Limit) Participant() string {
	if l.Scope == HoldParticipant {
		return l.Name
	}
	return ""
}

// Limits lists the tenant's limits and how far each is.
func (e *Engine) Limits(ctx context.Context, tenant string) ([]LimitUse, error) {
	if e.cfg.Limits == nil {
		return nil, nil
	}
	uses, err := e.cfg.Limits.Limits(ctx, tenant)
	if err != nil {
		return nil, fmt.Errorf("list limits: %w", err)
	}
	return uses, nil
}

// PutLimit sets a limit, or replaces the one that is there; every replica knows it within about a second. What is out stays out:
// beyond the bound nothing new comes. *InputError lists all that is wrong.
func (e *Engine) PutLimit(ctx context.Context, l Limit, requestID string) error {
	if err := checkLimit(&l); err != nil {
		return err
	}
	err := e.cfg.Limits.PutLimit(ctx, l, Audit{
		Tenant: l.Tenant, Actor: l.By, From: RemoteOf(ctx), Action: "limit.set", Target: l.Target(), Reason: l.Reason, RequestID: requestID,
		Detail: fmt.Appendf(nil, `{"sagas":%d,"commands":%d}`, l.Sagas, l.Commands),
	})
	if err != nil {
		return fmt.Errorf("limit %s: %w", l.Target(), err)
	}
	return nil
}

// RemoveLimit takes a limit away; what waited for it goes on within seconds. ErrNotFound where there is none.
func (e *Engine) RemoveLimit(ctx context.Context, l Limit, requestID string) error {
	if e.cfg.Limits == nil {
		return ErrNotFound
	}
	err := e.cfg.Limits.RemoveLimit(ctx, l.Tenant, l.Scope, l.Name, Audit{
		Tenant: l.Tenant, Actor: l.By, From: RemoteOf(ctx), Action: "limit.remove", Target: l.Target(), Reason: l.Reason, RequestID: requestID,
	})
	if err != nil {
		return fmt.Errorf("remove limit %s: %w", l.Target(), err)
	}
	return nil
}

// maxLimit bounds bounds: what is larger bounds nothing.
const maxLimit = 10_000_000

func checkLimit(l *Limit) error {
	bad := &InputError{Message: "the limit is wrong"}
	wrong := func(path, message string) { bad.Fields = append(bad.Fields, FieldError{path, message}) }
	switch l.Scope {
	case HoldSagaType:
	case HoldParticipant:
		if l.Sagas != 0 {
			wrong("sagas", "only a limit on a saga_type bounds sagas")
		}
	default:
		wrong("scope", "want saga_type or participant")
	}
	if l.Name == "" {
		wrong("name", "a limit needs the name of what it bounds")
	}
	if l.Sagas < 0 || l.Sagas > maxLimit {
		wrong("sagas", "want 1 to 10000000, or leave it out")
	}
	if l.Commands < 0 || l.Commands > maxLimit {
		wrong("commands", "want 1 to 10000000, or leave it out")
	}
	if l.Sagas == 0 && l.Commands == 0 {
		wrong("commands", "a limit bounds something; to let nothing through, set a hold")
	}
	if l.Reason == "" {
		wrong("reason", "a limit needs a reason")
	}
	if len(bad.Fields) > 0 {
		return bad
	}
	return nil
}
