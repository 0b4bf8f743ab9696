package orchestrator

import (
	"crypto/sha256"
	"encoding/json"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// item is one event on its way to the committer.
type item struct {
	id       saga.ID
	event    saga.Event
	start    *StartRequest    // of a start
	def      *saga.Definition // of a start
	hash     [32]byte         // of a start's or an action's request
	act      *ActRequest      // of an action
	delivery *Delivery        // of a reply
	arrival  *arrival         // of a start that came from outside
	handling *handling        // of a wish about a quarantined record
	settled  *Settled         // of a refused record: leaves the outbox with this event; nil: nothing does
	revision int64            // of a precise timer: it is dropped where the saga has moved on; 0: whatever it is
	fed      *limited         // of a look at a saga whose turn it is under a limit; nil: of anything else
	tries    int
	from     string       // of an action or a wish: from where it came, for the audit
	done     func(answer) // nil: nobody waits
}

// answer is what a waiting request gets, and what is stored under its Idempotency-Key.
type answer struct {
	Started  *Started           `json:"started,omitempty"`
	Acted    *Acted             `json:"acted,omitempty"`
	Refused  *saga.RefusedError `json:"refused,omitempty"`
	KeyInUse *KeyInUseError     `json:"key_in_use,omitempty"`
	// Of quarantined records: what came of one, why one is refused, and which a request about many is about.
	Handled   *QuarantineResult       `json:"handled,omitempty"`
	Unhandled *QuarantineRefusedError `json:"unhandled,omitempty"`
	Chosen    *chosen                 `json:"chosen,omitempty"`
	NotFound  bool                    `json:"not_found,omitempty"`
	Revision  bool                    `json:"revision,omitempty"`
	err       error
}

func (a answer) failure() error {
	switch {
	case a.err != nil:
		return a.err
	case a.Refused != nil:
		return a.Refused
	case a.KeyInUse != nil:
		return a.KeyInUse
	case a.Unhandled != nil:
		return a.Unhandled
	case a.NotFound:
		return ErrNotFound
	case a.Revision:
		return ErrRevision
	}
	return nil
}

func (it *item) answer(a answer) {
	if it.done != nil {
		it.done(a)
	}
}

func (it *item) fail(err error) { it.answer(answer{err: err}) }

// size is about how many bytes the item adds to its batch.
func (it *item) size() int {
	switch {
	case it.start != nil:
		return 4 * len(it.start.Input) // the instance, the fact, and the command in the outbox
	case it.arrival != nil:
		return len(it.arrival.delivery.Raw.Value)
	case it.delivery != nil:
		return 3 * len(it.delivery.Reply.Value)
	case it.handling != nil && it.handling.delivery != nil:
		return 3 * len(it.handling.delivery.Reply.Value)
	}
	return 0
}

// claims are the keys that the item takes.
func (it *item) claims() []Claim {
	var out []Claim
	switch {
	case it.start != nil:
		if it.start.IdempotencyKey != "" {
			out = append(out, Claim{Kind: ClaimIdempotencyKey, Tenant: it.start.Tenant, Key: it.start.IdempotencyKey, ID: it.id, Hash: it.hash})
		}
		if it.start.Key != "" {
			out = append(out, Claim{Kind: ClaimBusinessKey, Tenant: it.start.Tenant, Saga: it.start.Saga, Key: it.start.Key, ID: it.id, Hash: sha256.Sum256(it.start.Input)})
		}
	case it.act != nil && it.act.IdempotencyKey != "":
		out = append(out, Claim{Kind: ClaimIdempotencyKey, Tenant: it.act.Tenant, Key: it.act.IdempotencyKey, ID: it.id, Hash: it.hash})
	case it.handling != nil && it.handling.req.IdempotencyKey != "":
		req := &it.handling.req
		out = append(out, Claim{Kind: ClaimIdempotencyKey, Tenant: req.Tenant, Key: req.IdempotencyKey, ID: it.id, Hash: it.hash})
	}
	return out
}

// requestHash tells a replay of a request from another one under the same key.
func requestHash(v any) [32]byte {
	b, err := json.Marshal(v)
	if err != nil { // every part of a request has been read from JSON
		b = []byte(err.Error())
	}
	return sha256.Sum256(b)
}
