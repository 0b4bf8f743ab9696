package sim

import (
	"context"
	"encoding/json"
	"time"

	"github.com/skaldhq/skald/orchestrator/saga"
	"github.com/skaldhq/skald/participants"
	"github.com/skaldhq/skald/participants/wire"
)

// What a mood is about.
const (
	moodReject byte = iota + 1
	moodUndoReject
	moodUndoBroken
	moodNotFound
)

// execute takes an effect inside the barrier's transaction.
func (a *actors) execute(_ context.Context, req *participants.Request) (participants.Result, error) {
	if err := a.linger(); err != nil {
		return participants.Result{}, err
	}
	if a.refuses(req.Command) {
		return participants.Reject("no", "this one is refused")
	}
	if !a.honest && a.mood(req.Command, moodNotFound) < a.moods.notFound {
		return participants.Reject(wire.CodeNotFound, "a business code, that means something else to the engine")
	}
	if r, broken := a.breaks(); broken {
		return r, nil
	}
	if !a.step(req.Command).EffectNone {
		e := a.of(req.SagaID, req.Step)
		req.Tx.(*participants.MemoryEffects).OnCommit(func() { e.done++ })
	}
	return participants.Succeed(a.output(req))
}

// compensate undoes it.
func (a *actors) compensate(_ context.Context, req *participants.Request) (participants.Result, error) {
	if err := a.linger(); err != nil {
		return participants.Result{}, err
	}
	if a.keepsEffect(req.Command) {
		return participants.Reject("stays", "this one cannot be undone")
	}
	if r, broken := a.breaks(); broken {
		return r, nil
	}
	if !a.honest && a.mood(req.Command, moodUndoBroken) < a.moods.undoBroken {
		return participants.Fail("broken", "not today")
	}
	if !a.step(req.Command).EffectNone {
		e := a.of(req.SagaID, req.Step)
		req.Tx.(*participants.MemoryEffects).OnCommit(func() { e.undone++ })
	}
	return participants.Succeed(nil)
}

// refuses is the business no: the same for each attempt of an edition; a further edition is mostly taken.
func (a *actors) refuses(c *wire.Command) bool {
	share := a.moods.reject
	if a.step(c).Kind == saga.Retriable {
		share = a.moods.retriableReject
	}
	return a.mood(c, moodReject+16*byte(min(c.Edition, 8))) < share
}

func (a *actors) keepsEffect(c *wire.Command) bool {
	return a.mood(c, moodUndoReject+16*byte(min(c.Edition, 8))) < a.moods.undoReject
}

// breaks is the technical no.
func (a *actors) breaks() (participants.Result, bool) {
	if a.hits(FaultAnswersUnknown) {
		return participants.Result{Outcome: wire.Unknown, Code: "lost", Message: "nobody knows"}, true
	}
	if !a.hits(FaultParticipantFails) {
		return participants.Result{}, false
	}
	wait := time.Duration(0)
	if a.hits(FaultRetryAfter) {
		wait = time.Duration(a.rng.IntN(8000)) * time.Millisecond
	}
	r, _ := participants.FailAfter("broken", "try again", wait)
	return r, true
}

func (a *actors) output(req *participants.Request) json.RawMessage {
	if a.hits(FaultBadOutput) {
		return json.RawMessage(`{"bad":true}`)
	}
	return json.RawMessage(`{"by":"` + req.Step + `"}`)
}

// providerCall is what the provider outside remembers of an idempotency key.
type providerCall struct {
	done    bool
	blocked bool // no call under this key takes effect any more
}

func (a *actors) at(key wire.ID) *providerCall {
	if a.provider[key] == nil {
		a.provider[key] = &providerCall{}
	}
	return a.provider[key]
}

// call takes an effect at the provider. It may die between the effect and what the barrier stores of it.
func (a *actors) call(_ context.Context, req *participants.Request) (participants.Result, error) {
	if err := a.linger(); err != nil {
		return participants.Result{}, err
	}
	p := a.at(req.ID)
	switch {
	case p.done:
	case p.blocked || a.refuses(req.Command):
		p.blocked = true
		return participants.Reject("no", "the provider refuses")
	default:
		if r, broken := a.breaks(); broken {
			return r, nil
		}
		p.done = true
		if !a.step(req.Command).EffectNone {
			a.of(req.SagaID, req.Step).done++
		}
	}
	if err := a.linger(); err != nil {
		return participants.Result{}, err
	}
	return participants.Succeed(json.RawMessage(`{"by":"` + req.Step + `"}`))
}

// undoCall undoes at the provider.
func (a *actors) undoCall(_ context.Context, req *participants.Request) (participants.Result, error) {
	if err := a.linger(); err != nil {
		return participants.Result{}, err
	}
	if a.keepsEffect(req.Command) {
		return participants.Reject("stays", "the provider does not undo this")
	}
	p := a.at(req.ID)
	if !p.done {
		if r, broken := a.breaks(); broken {
			return r, nil
		}
		p.done = true
		if !a.step(req.Command).EffectNone {
			a.of(req.SagaID, req.Step).undone++
		}
	}
	return participants.Succeed(nil)
}

// ask says what became of an execute at the provider; where there was none, the provider takes none any more.
func (a *actors) ask(_ context.Context, req *participants.Request) (participants.Result, error) {
	if err := a.linger(); err != nil {
		return participants.Result{}, err
	}
	p := a.at(req.Executed.CommandID)
	switch {
	case p.done:
		return participants.Succeed(json.RawMessage(`{"by":"` + req.Step + `"}`))
	case a.hits(FaultProviderUnsure):
		return participants.Result{Outcome: wire.Unknown}, nil
	}
	p.blocked = true
	return participants.Reject("never", "the provider has no such call")
}
