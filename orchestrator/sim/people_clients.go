package sim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// request is one client's wish for a saga; it is sent until it is answered.
type request struct {
	orchestrator.StartRequest
	answered bool
	id       saga.ID // zero: refused
}

// oddities are payloads that a careless hand would change on their way (S22).
var oddities = []string{
	`"\u0000 nul"`, `"\ud800 lone"`, `1e400`, `123456789012345678901234567890.10`, `-0.0`, `{"a":1,"a":2}`, `[ 1 ,  2 ]`, `"é  <&>"`,
	`[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[{"deep":[null]}]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]`, `null`, `""`, `{"":{"":""}}`, `"\/\b\f"`,
}

// draw makes up the i-th start. Two tenants have the same names, keys and Idempotency-Keys.
func (p *people) draw(i int) *request {
	versions := p.chosen[p.rng.IntN(len(p.chosen))]
	r := &request{StartRequest: orchestrator.StartRequest{
		Tenant: p.tenants[i%len(p.tenants)], Saga: versions[0].def.Name, Input: p.input(i), By: "client",
		IdempotencyKey: fmt.Sprintf("client-%d", i/len(p.tenants)),
	}}
	own := versions[0].def.Key != nil || versions[len(versions)-1].def.Key != nil
	if !own && p.rng.IntN(3) == 0 {
		r.Key = fmt.Sprintf("order-%d", p.rng.IntN(3))
	}
	if p.w.opt.Sagas == 0 {
		r.Reuse = []orchestrator.Reuse{"", "", orchestrator.ReuseAfterCompensated, orchestrator.ReuseAllow, orchestrator.ReuseNever}[p.rng.IntN(5)]
	}
	return r
}

// input is an order: what plans form their payloads from. Where the world is asked for so many sagas, each has a key of its own.
func (p *people) input(i int) json.RawMessage {
	id, n, text := i, fmt.Sprint(p.rng.IntN(10)), `"some"`
	if p.w.opt.Sagas == 0 && p.rng.IntN(3) == 0 {
		id = p.rng.IntN(3)
	}
	if p.rng.IntN(24) == 0 {
		n = `"many"` // no number: conditions fail on it
	}
	if p.rng.IntN(12) == 0 {
		text = "null"
	}
	return json.RawMessage(fmt.Sprintf(`{"id": "order-%d", "n": %s, "text": %s, "odd": %s}`, id, n, text, oddities[p.rng.IntN(len(oddities))]))
}

// repeat has some clients use an Idempotency-Key twice, with the same body or with another one.
func (p *people) repeat() {
	for _, r := range p.requests {
		if p.rng.IntN(4) > 0 {
			continue
		}
		again := &request{StartRequest: r.StartRequest}
		if p.rng.IntN(3) == 0 {
			again.Input = json.RawMessage(`{"id":"another"}`)
		}
		p.requests = append(p.requests, again)
		p.w.after(p.within(30_000), func() { p.start(again) })
	}
}

// start asks some replica, and again until there is an answer: the Idempotency-Key makes that harmless.
func (p *people) start(r *request) {
	if r.answered {
		return
	}
	p.w.after(3*time.Second, func() { p.start(r) }) // it does nothing once the answer is there
	at := p.replica()
	if at == nil {
		return
	}
	req := r.StartRequest
	p.tries++
	req.RequestID = fmt.Sprintf("start-%d", p.tries)
	p.byID[req.RequestID] = r
	err := at.engine.OfferStart(context.Background(), req, func(s orchestrator.Started, err error) { p.started(r, s, err) })
	if err != nil {
		p.started(r, orchestrator.Started{}, err)
	}
}

// started judges what a client is told.
func (p *people) started(r *request, s orchestrator.Started, err error) {
	if r.answered {
		return
	}
	key := idemKey{r.Tenant, r.IdempotencyKey}
	first := p.known[key]
	var overloaded *orchestrator.OverloadedError
	var inUse *orchestrator.KeyInUseError
	switch {
	case err == nil:
		r.answered, r.id = true, s.ID
		p.told(r, s)
		if first == nil {
			p.known[key] = r
		} else {
			p.sameAnswer(first, r)
		}
	case errors.Is(err, orchestrator.ErrIdempotency):
		r.answered = true
		if !p.usedOtherwise(r) {
			p.w.violate("S2", "Idempotency-Key %s was never used for another request, and is refused", r.IdempotencyKey)
		}
	case errors.As(err, &inUse):
		r.answered = true
		p.w.oracle.keyRefused(r, inUse)
		if first == nil {
			p.known[key] = r
		} else {
			p.sameAnswer(first, r)
		}
	case errors.Is(err, orchestrator.ErrStopping), errors.As(err, &overloaded):
	default:
		p.w.violate("world", "a start is answered with: %v", err)
	}
}

// told is a saga that a client now counts on (S1).
func (p *people) told(r *request, s orchestrator.Started) {
	t := p.w.oracle.tracks[s.ID]
	if t == nil {
		p.w.violate("S1", "a start was answered before it was committed: %s", s.ID)
		return
	}
	if t.in.Tenant != r.Tenant || s.Tenant != r.Tenant {
		p.w.violate("S23", "a client of %s was answered with a saga of %s", r.Tenant, t.in.Tenant)
	}
	if _, err := p.w.store.Saga(context.Background(), r.Tenant, s.ID); err != nil {
		p.w.violate("S1", "saga %s was promised and cannot be read: %v", s.ID, err)
	}
	if s.Existing {
		p.w.oracle.keyShared(r, t)
	}
	p.sagas = append(p.sagas, sagaRef{r.Tenant, s.ID})
}

// sameAnswer holds S2: the same Idempotency-Key and body is the same saga.
func (p *people) sameAnswer(first, r *request) {
	if !sameBody(first, r) {
		p.w.violate("S2", "Idempotency-Key %s was used for another request, and is answered", r.IdempotencyKey)
		return
	}
	if first.id != r.id {
		p.w.violate("S2", "two answers for one Idempotency-Key: %s and %s", first.id, r.id)
	}
}

func sameBody(a, b *request) bool { return string(a.Input) == string(b.Input) }

// usedOtherwise reports whether somebody uses the request's key with another body.
func (p *people) usedOtherwise(r *request) bool {
	for _, other := range p.requests {
		if other.Tenant == r.Tenant && other.IdempotencyKey == r.IdempotencyKey && !sameBody(other, r) {
			return true
		}
	}
	return false
}
