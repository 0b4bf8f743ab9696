package webhook

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
	"github.com/skaldhq/skald/participants/wire"
)

// Type says why a person is asked for.
type Type string

// The types of notices.
const (
	AttentionRaised Type = "attention.raised"
	SagaSuspended   Type = "saga.suspended" // nothing can move without a person
	SagaResidue     Type = "saga.residue"   // it ended, and something is left behind; also when a late answer shows it
)

// Notice is the body of a request, as JSON. It has no payloads.
type Notice struct {
	ID      string    `json:"id"` // of the event, <saga id>/<sequence>: the same each time it is sent
	Type    Type      `json:"type"`
	At      time.Time `json:"at"`
	Tenant  string    `json:"tenant"`
	SagaID  string    `json:"saga_id"`
	Saga    string    `json:"saga"` // the definition's name
	Version int       `json:"version"`
	Step    string    `json:"step,omitempty"`
	Reason  string    `json:"reason,omitempty"` // of attention
	Why     string    `json:"why,omitempty"`    // one sentence for people
	// Of saga.residue.
	Status  saga.Status       `json:"status,omitempty"`
	Verdict saga.Verdict      `json:"verdict,omitempty"`
	Residue []saga.StepEffect `json:"residue,omitempty"`
}

// NoticeOf reads a record of skald.events. ok is false for those that ask for nobody. An error says that the record cannot be read.
func NoticeOf(event orchestrator.Record) (n Notice, ok bool, err error) {
	headers := map[string]string{}
	for _, h := range event.Headers {
		headers[h.Key] = string(h.Value)
	}
	kind := saga.FactType("")
	if t := headers[wire.HeaderType]; len(t) > len("skald.") {
		kind = saga.FactType(t[len("skald."):])
	}
	switch kind { //nolint:exhaustive // the others ask for nobody
	case saga.AttentionRaised:
		n.Type = AttentionRaised
	case saga.SagaSuspended:
		n.Type = SagaSuspended
	case saga.SagaCompleted, saga.SagaCompensated, saga.SagaAbandoned, saga.CertificateAmended:
		n.Type = SagaResidue
	default:
		return n, false, nil
	}
	var f saga.Fact
	if err := json.Unmarshal(event.Value, &f); err != nil {
		return n, false, fmt.Errorf("read event %q: %w", headers[wire.HeaderID], err)
	}
	if n.Type == SagaResidue && (f.End == nil || f.End.Verdict != saga.Residue && len(f.End.Residue) == 0) {
		return n, false, nil
	}
	n.ID, n.At, n.Tenant, n.SagaID, n.Saga = headers[wire.HeaderID], f.At, headers[wire.HeaderSagaTenant], headers[wire.HeaderSubject], headers[wire.HeaderSagaType]
	n.Version, _ = strconv.Atoi(headers[wire.HeaderSagaVersion])
	n.Step, n.Reason, n.Why = f.Step, string(f.Reason), f.Why
	if n.ID == "" || n.SagaID == "" {
		return n, false, fmt.Errorf("read event of type %s: it names no saga", kind)
	}
	if n.Type == SagaResidue {
		n.Verdict, n.Residue = f.End.Verdict, f.End.Residue
		switch kind { //nolint:exhaustive // an amended certificate does not say
		case saga.SagaCompleted:
			n.Status = saga.Completed
		case saga.SagaCompensated:
			n.Status = saga.Compensated
		case saga.SagaAbandoned:
			n.Status = saga.Abandoned
		}
	}
	return n, true, nil
}
