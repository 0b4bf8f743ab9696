package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// HoldCount says what a hold does at present. Of one on everything it is about the tenant that asks.
type HoldCount struct {
	Held     int  // sagas with something that waits for the hold
	InFlight int  // commands that were sent and not answered yet; their answers are applied
	Exact    bool // false: at least that many; counting took too long
}

// countFor is how long counting may take.
const countFor = 2 * time.Second

// HoldStatus reads one hold, and counts what it does.
func (e *Engine) HoldStatus(ctx context.Context, tenant string, id int64) (HoldRow, HoldCount, error) {
	row, err := e.cfg.Holds.Hold(ctx, tenant, id)
	if err != nil {
		return row, HoldCount{}, fmt.Errorf("hold %d: %w", id, err)
	}
	if row.State() == HoldEnded {
		return row, HoldCount{Exact: true}, nil
	}
	n, err := e.countHeld(ctx, &row)
	if err != nil {
		return row, n, fmt.Errorf("count under hold %d: %w", id, err)
	}
	return row, n, nil
}

// countHeld reads through the live sagas that wait for a hold or for an answer.
func (e *Engine) countHeld(ctx context.Context, h *HoldRow) (HoldCount, error) {
	n := HoldCount{Exact: true}
	end := e.clock.Now().Add(countFor)
	counted := map[saga.ID]bool{} // a saga can wait for more than one thing
	for _, cause := range []saga.Cause{saga.CauseHold, saga.CauseBackoff, saga.CauseReply, saga.CauseUnpublished} {
		err := e.eachBlocked(ctx, h, cause, func(v *View, def *saga.Definition) bool {
			if !counted[v.Instance.ID] && h.concerns(v.Instance.Tenant, def) {
				counted[v.Instance.ID] = true
				n.add(h, v, def)
			}
			n.Exact = e.clock.Now().Before(end)
			return n.Exact
		})
		if err != nil || !n.Exact {
			return n, err
		}
	}
	return n, nil
}

// countMany has the store count what is too much to read through: all that waits for any hold, so that a release is rather slower
// than asked for than faster.
func (e *Engine) countMany(ctx context.Context, h *HoldRow, n *HoldCount) error {
	q := SagaQuery{Tenant: h.Tenant, BlockedOn: saga.CauseHold, Limit: 1, Count: true}
	if h.Scope == HoldSagaType {
		q.Saga = h.Name
	}
	page, err := e.cfg.Reader.Sagas(ctx, q)
	if err != nil {
		return fmt.Errorf("count sagas: %w", err)
	}
	n.Held = max(n.Held, int(page.Count))
	return nil
}

// inFlight reports whether a command is in flight under a hold; known is false where looking took too long.
func (e *Engine) inFlight(ctx context.Context, h *HoldRow) (some, known bool, err error) {
	known = true
	end := e.clock.Now().Add(countFor)
	for _, cause := range []saga.Cause{saga.CauseReply, saga.CauseUnpublished} {
		err := e.eachBlocked(ctx, h, cause, func(v *View, def *saga.Definition) bool {
			var n HoldCount
			if h.concerns(v.Instance.Tenant, def) {
				n.add(h, v, def)
			}
			some, known = n.InFlight > 0, e.clock.Now().Before(end)
			return !some && known
		})
		if err != nil || some || !known {
			return some, some || known, err
		}
	}
	return false, known, nil
}

// add counts one saga.
func (n *HoldCount) add(h *HoldRow, v *View, def *saga.Definition) {
	held := false
	for _, b := range saga.Blocked(def, v.Instance, envOf(h.At, []Hold{h.Hold}, v.Instance.Tenant, v.Instance.ID, def, v.Sent)) {
		if h.Scope == HoldParticipant && b.Participant != h.Name {
			continue
		}
		switch b.Cause {
		case saga.CauseHold:
			held = true
		case saga.CauseReply, saga.CauseUnpublished:
			n.InFlight++
		case saga.CauseBackoff, saga.CauseAttention:
		}
	}
	if held {
		n.Held++
	}
}

// eachBlocked calls do for the live sagas in the hold's tenant and definition that wait for a cause, until it answers false.
func (e *Engine) eachBlocked(ctx context.Context, h *HoldRow, cause saga.Cause, do func(*View, *saga.Definition) bool) error {
	q := SagaQuery{Tenant: h.Tenant, BlockedOn: cause, Limit: 500}
	if h.Scope == HoldSagaType {
		q.Saga = h.Name
	}
	for {
		page, err := e.cfg.Reader.Sagas(ctx, q)
		if err != nil {
			return fmt.Errorf("list sagas: %w", err)
		}
		for i := range page.Sagas {
			v := &page.Sagas[i]
			def, err := e.registry.get(ctx, v.Instance.Tenant, v.Instance.Saga, v.Instance.Version)
			switch {
			case errors.Is(err, ErrUnknownSagaType): // such a saga goes nowhere anyway
				continue
			case err != nil:
				return fmt.Errorf("definition of %s: %w", v.Instance.ID, err)
			}
			if !do(v, def) {
				return nil
			}
		}
		if page.Next.IsZero() {
			return nil
		}
		q.Past = page.Next
	}
}
