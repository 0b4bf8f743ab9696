package orchestrator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/skaldhq/skald/orchestrator/definition"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// Start starts a saga and returns once it is committed (S1). It is safe for concurrent use. When ctx ends first, the saga may or
// may not have started; the same request under the same Idempotency-Key or business key finds out (S2).
// Errors: *InputError, *TooLargeError, ErrUnknownSagaType, *KeyInUseError, ErrIdempotency, *OverloadedError, ErrStopping.
func (e *Engine) Start(ctx context.Context, req StartRequest) (Started, error) {
	if err := e.health.refusesStarts(); err != nil {
		return Started{}, e.refused(err)
	}
	it, err := e.startItem(ctx, &req)
	if err != nil {
		return Started{}, err
	}
	a, err := e.submit(ctx, it)
	if err != nil {
		return Started{}, err
	}
	return *a.Started, nil
}

// startItem checks a start as far as the definition tells, and gives it its id: the shard of its key, or a random one.
func (e *Engine) startItem(ctx context.Context, req *StartRequest) (*item, error) {
	if len(req.Input) > saga.MaxInputBytes {
		return nil, &TooLargeError{Limit: saga.MaxInputBytes}
	}
	def, err := e.registry.get(ctx, req.Tenant, req.Saga, req.Version)
	if err != nil {
		return nil, err
	}
	var hash [32]byte
	if req.IdempotencyKey != "" { // else nobody asks for it
		body := *req
		body.RequestID, body.By = "", "" // a replay is a request of its own (S2)
		hash = requestHash(body)
	}
	labels, key, err := Check(def, req.Input, req.Key, req.Labels)
	if err != nil {
		return nil, err
	}
	switch req.Reuse {
	case "":
		req.Reuse = ReuseAfterCompensated
	case ReuseAfterCompensated, ReuseAllow, ReuseNever:
	default:
		return nil, &InputError{Message: "the request is wrong", Fields: []FieldError{{"reuse", "want after_compensated, allow or never"}}}
	}
	req.Labels, req.Key = labels, key
	shard := uint16(e.random.Uint64())
	if key != "" {
		shard = saga.ShardOf(req.Tenant, req.Saga, key)
	}
	id := saga.NewID(e.clock.Now(), shard, e.random.Uint64())
	return &item{id: id, start: req, def: def, hash: hash, event: saga.Event{ID: req.RequestID, Body: saga.Started{
		ID: id, Tenant: req.Tenant,
		Key: key, Input: req.Input, Labels: labels, Link: req.Link, By: req.By,
	}}}, nil
}

// Check validates a start against its definition, and works out its labels and business key. The error is an *InputError that
// lists everything wrong.
func Check(def *saga.Definition, input json.RawMessage, key string, labels map[string]string) (map[string]string, string, error) {
	bad := &InputError{Message: fmt.Sprintf("the input does not fit %s version %d", def.Name, def.Version)}
	add := func(path, message string) { bad.Fields = append(bad.Fields, FieldError{path, message}) }
	if !readable(input) {
		add("input", "want JSON in UTF-8")
		return nil, "", bad
	}
	if def.Input != nil {
		if err := def.Input.Validate(input); err != nil {
			bad.Fields = append(bad.Fields, schemaFields(err)...)
			return nil, "", bad // expressions over a wrong input would only say the same again
		}
	}
	scope := saga.Scope{Input: input, StepOutput: func(string) json.RawMessage { return json.RawMessage("null") }}
	if def.Key != nil {
		if key != "" {
			add("key", "the definition has a key of its own")
		}
		raw, err := def.Key.Eval(scope)
		switch {
		case err != nil:
			add("input", "key: "+err.Error())
		default:
			key = plainText(raw)
		}
		if err == nil && key == "" {
			add("input", "the business key is empty")
		}
	}
	if len(key) > 512 || strings.ContainsRune(key, 0) {
		add("key", "want at most 512 bytes without NUL")
	}
	if def.Labels != nil {
		raw, err := def.Labels.Eval(scope)
		own := map[string]string{}
		if err == nil {
			err = json.Unmarshal(raw, &own)
		}
		if err != nil {
			add("input", "labels: "+err.Error())
		}
		for k, v := range labels {
			own[k] = v
		}
		labels = own
	}
	if len(labels) > 32 {
		add("labels", "want at most 32")
	}
	for k, v := range labels {
		if k == "" || len(k) > 63 || len(v) > 255 || strings.ContainsRune(k+v, 0) {
			add("labels/"+k, "want a name of 1 to 63 bytes and a value of at most 255")
		}
	}
	if len(bad.Fields) > 0 {
		return nil, "", bad
	}
	return labels, key, nil
}

// plainText is a JSON string's text, or any other value as it is written; null is empty.
func plainText(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}

func schemaFields(err error) []FieldError {
	var schema *definition.InvalidError
	if !errors.As(err, &schema) {
		return []FieldError{{"input", err.Error()}}
	}
	out := make([]FieldError, len(schema.Violations))
	for i, v := range schema.Violations {
		out[i] = FieldError{"input" + v.Path, v.Message}
	}
	return out
}

// Act does an operator's action and returns once it is committed. Errors: *saga.RefusedError, *InputError, ErrNotFound,
// ErrRevision, ErrIdempotency, *OverloadedError, ErrStopping.
func (e *Engine) Act(ctx context.Context, req ActRequest) (Acted, error) {
	it, err := actItem(&req)
	if err != nil {
		return Acted{}, err
	}
	a, err := e.submit(ctx, it)
	if err != nil {
		return Acted{}, err
	}
	return *a.Acted, nil
}

func actItem(req *ActRequest) (*item, error) {
	if err := checkAct(req); err != nil {
		return nil, err
	}
	it := &item{id: req.ID, act: req, event: saga.Event{ID: req.RequestID, Body: req.Act}}
	wish := req.Act
	wish.By = "" // as of a start: a replay is a request of its own (S2)
	it.hash = requestHash(struct {
		ID  saga.ID
		Act saga.Acted
		Rev int64
	}{req.ID, wish, req.IfRevision})
	return it, nil
}

// DryRun answers what an action would come to, by the same Decide, the database's clock and the holds in force; nothing is
// stored. Errors as of Act.
func (e *Engine) DryRun(ctx context.Context, req ActRequest) (saga.Decision, error) {
	if err := checkAct(&req); err != nil {
		return saga.Decision{}, err
	}
	view, err := e.cfg.Reader.Saga(ctx, req.Tenant, req.ID)
	if err != nil {
		return saga.Decision{}, err
	}
	if req.IfRevision != 0 && req.IfRevision != view.Instance.Revision {
		return saga.Decision{}, ErrRevision
	}
	def, err := e.registry.get(ctx, req.Tenant, view.Instance.Saga, view.Instance.Version)
	if err != nil {
		return saga.Decision{}, err
	}
	at, holds, err := e.around.now(ctx)
	if err != nil {
		return saga.Decision{}, err
	}
	if err := e.registry.aim(ctx, &req.Act, &view.Instance, holds); err != nil {
		return saga.Decision{}, err
	}
	env := e.envOf(at, holds, req.Tenant, req.ID, def, view.Sent)
	env.Jitter = 0.5 // in the middle of what may be drawn
	return rehearse(def, view.Instance, &req, env)
}

// Blocked says why a saga waits, as of now; a hold shows within a second.
func (e *Engine) Blocked(ctx context.Context, view View) ([]saga.BlockedOn, error) {
	def, err := e.registry.get(ctx, view.Instance.Tenant, view.Instance.Saga, view.Instance.Version)
	if err != nil {
		return nil, err
	}
	at, holds, err := e.around.lately(ctx)
	if err != nil {
		return nil, err
	}
	sent := slices.Clone(view.Sent)
	e.groups.fill(def, sent)
	return saga.Blocked(def, view.Instance, e.envOf(at, holds, view.Instance.Tenant, view.Instance.ID, def, sent)), nil
}

// Possible lists what an operator could do with a saga, as of now; a hold shows within a second.
func (e *Engine) Possible(ctx context.Context, view View) ([]saga.Choice, error) {
	def, err := e.registry.get(ctx, view.Instance.Tenant, view.Instance.Saga, view.Instance.Version)
	if err != nil {
		return nil, err
	}
	at, holds, err := e.around.lately(ctx)
	if err != nil {
		return nil, err
	}
	return saga.Possible(def, view.Instance, e.envOf(at, holds, view.Instance.Tenant, view.Instance.ID, def, view.Sent)), nil
}

func checkAct(req *ActRequest) error {
	bad := &InputError{Message: "the action is wrong"}
	if strings.TrimSpace(req.Act.Reason) == "" {
		bad.Fields = append(bad.Fields, FieldError{"reason", "an action needs a reason"})
	}
	if req.Act.Action.NeedsStep() && req.Act.Step == "" && !req.EachStep {
		bad.Fields = append(bad.Fields, FieldError{"step", string(req.Act.Action) + " needs a step"})
	}
	if rebind := req.Act.Action == saga.ActionRebind; rebind != (req.Act.Version > 0) {
		bad.Fields = append(bad.Fields, FieldError{"version", "a rebind, and nothing else, needs a version from 1 on"})
	}
	for path, raw := range map[string]json.RawMessage{"output": req.Act.Output, "payload": req.Act.Payload} {
		if len(raw) > 0 && !readable(raw) {
			bad.Fields = append(bad.Fields, FieldError{path, "want JSON in UTF-8"})
		}
	}
	if len(bad.Fields) > 0 {
		return bad
	}
	return nil
}

// readable reports whether raw is what participants can read; json.Valid alone lets other bytes than UTF-8 pass in strings.
func readable(raw json.RawMessage) bool { return json.Valid(raw) && utf8.Valid(raw) }

// offer hands an item to the committer, which calls its done; an error says that it was not taken.
func (e *Engine) offer(it *item) error {
	if it.handling != nil && it.handling.start != nil {
		return e.offerStartAgain(it)
	}
	if err := e.health.refusesAll(); err != nil {
		return e.refused(err)
	}
	if !e.intake.Offer(laneStarts, it) {
		return e.refused(&OverloadedError{Why: "too many requests wait", RetryAfter: time.Second})
	}
	return nil
}

// OfferStart is Start for a caller that cannot wait: done is called with the answer, from the committer. An error says that the
// start was not taken, and done is never called.
func (e *Engine) OfferStart(ctx context.Context, req StartRequest, done func(Started, error)) error {
	if err := e.health.refusesStarts(); err != nil {
		return e.refused(err)
	}
	it, err := e.startItem(ctx, &req)
	if err != nil {
		return err
	}
	it.done = func(a answer) {
		if err := a.failure(); err != nil || a.Started == nil {
			done(Started{}, err)
			return
		}
		done(*a.Started, nil)
	}
	return e.offer(it)
}

// OfferAct is Act for a caller that cannot wait, as OfferStart.
func (e *Engine) OfferAct(req ActRequest, done func(Acted, error)) error {
	it, err := actItem(&req)
	if err != nil {
		return err
	}
	it.done = func(a answer) {
		if err := a.failure(); err != nil || a.Acted == nil {
			done(Acted{}, err)
			return
		}
		done(*a.Acted, nil)
	}
	return e.offer(it)
}

func (e *Engine) refused(err error) error {
	e.cfg.Observer.Refused(err.Error())
	return err
}
