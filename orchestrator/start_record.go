package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/skaldhq/skald/orchestrator/saga"
	"github.com/skaldhq/skald/participants/wire"
)

// StartSource reads records that ask for a saga. It is safe for concurrent use.
type StartSource interface {
	// FetchStarts waits for records, about a second at most, and returns some, in order per partition: Raw and Ack are set, and
	// Poison of what cannot be unpacked. Broker.Mark says that they are dealt with (S18).
	FetchStarts(ctx context.Context) ([]Delivery, error)
}

// StartRules say whose the starts of a topic are, and where they may be answered. No header has a say in it (S23).
type StartRules struct {
	Tenants map[string]string   // by topic
	ReplyTo map[string][]string // topics, by tenant
	Source  string              // of answers, such as /skald/default
}

// StartRequestsTopic stands for the topic of a start that was asked for in SQL wherever its refusal is kept; its partition is 0, and its
// offset the number of its row.
const StartRequestsTopic = "skald.start_requests"

// startReason begins the reasons of quarantined starts; a code follows.
const startReason = "start_"

// arrival is a start that came from outside: as a record, or as a row that skald.start_saga left.
type arrival struct {
	delivery Delivery
	start    wire.Start // as far as it could be read
	tenant   string
	verdict  *answer // what is to be written; nil: it is not judged yet
	// until is the end of a lease, by the database's clock: from then on somebody else may have refused it. Zero: there is none.
	until    time.Time
	redriven bool // it is in quarantine already, and whoever redrives it is answered
}

// arrivalItem judges a start as far as it can be without a transaction. An error says that it cannot now.
func (e *Engine) arrivalItem(ctx context.Context, d Delivery) (*item, error) {
	tenant, mapped := e.tenantOfStart(&d.Raw)
	ar := &arrival{delivery: d, tenant: tenant}
	ar.delivery.Raw.Tenant = tenant
	var err error
	ar.start, err = wire.DecodeStart(recordOf(&d.Raw))
	switch {
	case d.Poison != nil:
		err = &unreadableStart{d.Poison.Message}
	case !mapped:
		err = errNotMapped(d.Raw.Topic)
	case len(d.Raw.Value) > saga.MaxInputBytes:
		err = &TooLargeError{Limit: saga.MaxInputBytes}
	}
	if err != nil {
		ar.verdict = &answer{err: err}
		return &item{arrival: ar}, nil
	}
	it, err := e.startItem(ctx, ar.request())
	if err != nil {
		if !refusesForGood(err) {
			return nil, err
		}
		ar.verdict = &answer{err: err}
		return &item{arrival: ar}, nil
	}
	it.arrival = ar
	return it, nil
}

// refusesForGood tells a start that is wrong from one that could not be judged.
func refusesForGood(err error) bool {
	var input *InputError
	var large *TooLargeError
	return errors.As(err, &input) || errors.As(err, &large) || errors.Is(err, ErrUnknownSagaType)
}

func errNotMapped(topic string) error {
	return &unreadableStart{fmt.Sprintf("topic %q starts sagas of no tenant: name it in starts.topics", topic)}
}

// unreadableStart is a record that nothing can be made of, whatever its headers say.
type unreadableStart struct{ why string }

func (e *unreadableStart) Error() string { return e.why }

func (e *Engine) tenantOfStart(q *Quarantined) (string, bool) {
	if q.Topic == StartRequestsTopic {
		return q.Tenant, true
	}
	tenant, mapped := e.cfg.StartRules.Tenants[q.Topic]
	return tenant, mapped
}

func (ar *arrival) request() *StartRequest {
	s, q := &ar.start, &ar.delivery.Raw
	req := &StartRequest{
		Tenant: ar.tenant, Saga: s.SagaType, Version: s.SagaVersion, Key: s.Key, Input: s.Value, Labels: s.Labels, RequestID: s.ID, TraceParent: s.TraceParent,
		By: fmt.Sprintf("record %s/%d@%d", q.Topic, q.Partition, q.Offset),
		// No header of a request can hold such a key, so none is taken for another's.
		IdempotencyKey: "start\x1f" + s.ID,
	}
	if q.Topic == StartRequestsTopic {
		req.By, req.IdempotencyKey = "role "+s.Source, "start_request\x1f"+s.ID
	}
	return req
}

func recordOf(q *Quarantined) wire.Record {
	record := wire.Record{
		Topic: q.Topic, Partition: q.Partition, Offset: q.Offset, Timestamp: q.Timestamp, Key: q.Key, Value: q.Value,
		Headers: make([]wire.Header, len(q.Headers)),
	}
	for i, h := range q.Headers {
		record.Headers[i] = wire.Header(h)
	}
	return record
}

// mayAnswer reports whether an answer is wanted, and whether it may go there.
func (r *StartRules) mayAnswer(ar *arrival) (wanted, may bool) {
	to := ar.start.ReplyTo
	return to != "", slices.Contains(r.ReplyTo[ar.tenant], to)
}

// startCode is the machine code of a refused start, and says more in a sentence.
func startCode(err error) (code, message string) {
	var (
		unreadable *wire.DecodeError
		unusable   *unreadableStart
		input      *InputError
		large      *TooLargeError
		inUse      *KeyInUseError
		refused    *saga.RefusedError
		poison     *poisonError
	)
	switch {
	case errors.As(err, &unreadable):
		code, message = "unreadable", unreadable.Error()
	case errors.As(err, &unusable):
		code, message = "unreadable", unusable.Error()
	case errors.As(err, &poison):
		code, message = "poison", poison.Error()
	case errors.As(err, &input):
		wrong := make([]string, len(input.Fields))
		for i, f := range input.Fields {
			wrong[i] = f.Path + " " + f.Message
		}
		code, message = "invalid", input.Message+": "+strings.Join(wrong, "; ")
	case errors.As(err, &large):
		code, message = "too_large", fmt.Sprintf("the input is larger than %d bytes", large.Limit)
	case errors.As(err, &inUse):
		code, message = "key_in_use", inUse.Error()
	case errors.As(err, &refused):
		code, message = refused.Code, refused.Message
	case errors.Is(err, ErrUnknownSagaType):
		code, message = "unknown_saga", "no such definition, or no active version of it"
	case errors.Is(err, ErrIdempotency):
		code, message = "idempotency_key_reused", "this id was used for another start"
	default:
		code, message = "internal", err.Error()
	}
	return code, plainMessage(message)
}

// poisonError is a start that the database refuses to store.
type poisonError struct{ cause error }

func (e *poisonError) Error() string { return "the database refuses the content: " + e.cause.Error() }

// startAnswer is the body of an answer: the fields of design section 8 that a start has.
type startAnswer struct {
	ID        saga.ID     `json:"id,omitzero"`
	Saga      string      `json:"saga,omitempty"`
	Version   int         `json:"version,omitempty"`
	Key       string      `json:"key,omitempty"`
	Status    saga.Status `json:"status,omitempty"`
	CreatedAt time.Time   `json:"created_at,omitzero"`
	Code      string      `json:"code,omitempty"`
	Message   string      `json:"message,omitempty"`
	Errors    []fieldSaid `json:"errors,omitempty"`
}

type fieldSaid struct {
	Path    string `json:"path"`
	Message string `json:"message"`
}
