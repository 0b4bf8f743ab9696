package orchestrator

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/skaldhq/skald/orchestrator/saga"
	"github.com/skaldhq/skald/participants/wire"
)

// withdrawnError says that starts from outside were refused although they have won keys: the batch runs again without them, so that
// no refusal is kept under an id (what is mended may be redriven), and no claim stays without its saga (S2).
type withdrawnError struct{ verdicts map[*item]answer }

func (e *withdrawnError) Error() string { return "starts were refused after they had won keys" }

// replace puts, in the place of each start that was refused, what is to be written about it; one whose lease is over leaves.
func (e *withdrawnError) replace(items []*item) []*item {
	out := make([]*item, 0, len(items))
	for _, it := range items {
		a, withdrawn := e.verdicts[it]
		var over *OverloadedError
		switch {
		case !withdrawn:
			out = append(out, it)
		case errors.As(a.err, &over):
			it.fail(a.err)
		default:
			out = append(out, it.judged(a))
		}
	}
	return out
}

// over reports whether somebody else may have taken the request. Whoever has begun a transaction before its end holds the claim on its
// Idempotency-Key, which no other gets past; whoever begins one later must not judge what was perhaps refused and told.
func (ar *arrival) over(at time.Time) bool { return !ar.until.IsZero() && !at.Before(ar.until) }

// judged is the item that writes a verdict down.
func (it *item) judged(a answer) *item {
	ar := *it.arrival
	ar.verdict = &a
	return &item{arrival: &ar, done: it.done, from: it.from, tries: it.tries}
}

func (f *forming) withdraw(it *item, a answer) {
	if f.withdrawn == nil {
		f.withdrawn = map[*item]answer{}
	}
	f.withdrawn[it] = a
}

// settleArrival writes down what became of a start from outside: its answer goes to the outbox, a refused one to quarantine, and its
// record is marked, all with this batch.
func (c *committer) settleArrival(f *forming, it *item, a answer) {
	ar := it.arrival
	err := a.failure()
	switch {
	case err == nil:
		f.starts.Accepted++
	case !ar.redriven:
		code, message := startCode(err)
		q := ar.delivery.Raw
		q.Reason, q.Message, q.Tenant = startReason+code, message, ar.tenant
		f.batch.Quarantine = append(f.batch.Quarantine, q)
		f.rejected++
		f.starts.Refused++
	}
	wanted, may := c.cfg.StartRules.mayAnswer(ar)
	switch {
	case !wanted || ar.redriven && err != nil: // who redrives it is told
	case may:
		f.batch.Outbox = append(f.batch.Outbox, c.answerRecord(f, ar, a.Started, err))
	default:
		f.starts.Withheld++
		f.withheld = ar.start.ReplyTo
	}
	if ar.delivery.Ack != nil && !ar.redriven {
		f.marks = append(f.marks, ar.delivery)
	}
	f.answers = append(f.answers, func() { it.answer(a) })
}

// answerRecord is what whoever asked is told.
func (c *committer) answerRecord(f *forming, ar *arrival, started *Started, err error) Record {
	s := &ar.start
	to := wire.StartAnswer{
		ID: saga.NewID(f.at, uint16(c.random.Uint64()), c.random.Uint64()).String(), Source: c.cfg.StartRules.Source, Key: ar.delivery.Raw.Key, Time: f.at,
		CausationID: s.ID, CorrelationID: s.CorrelationID, TraceParent: s.TraceParent, TraceState: s.TraceState,
	}
	var body startAnswer
	var of saga.ID
	if err == nil {
		of = started.ID
		to.Outcome, to.SagaID, to.SagaType, to.SagaVersion = wire.Accepted, wire.ID(started.ID), started.Saga, started.Version
		body = startAnswer{
			ID: started.ID, Saga: started.Saga, Version: started.Version, Key: started.Key, Status: started.Status, CreatedAt: started.CreatedAt,
		}
	} else {
		to.Outcome = wire.Refused
		to.Code, to.Message = startCode(err)
		body = startAnswer{Code: to.Code, Message: to.Message}
		var input *InputError
		if errors.As(err, &input) {
			for _, f := range input.Fields {
				body.Errors = append(body.Errors, fieldSaid{f.Path, plainMessage(f.Message)})
			}
		}
	}
	to.Value, err = json.Marshal(body)
	if err != nil { // nothing in it can fail
		to.Value = []byte("{}")
	}
	record := to.Record(s.ReplyTo)
	out := Record{Kind: RecordEvent, Topic: record.Topic, Key: record.Key, Value: record.Value, Saga: of, Headers: make([]Header, len(record.Headers))}
	for i, h := range record.Headers {
		out.Headers[i] = Header(h)
	}
	return out
}

// poisonedArrival deals with a start that cannot be stored; where not even its row in quarantine can, its record is passed by (L5).
func (c *committer) poisonedArrival(ctx context.Context, it *item, cause error) {
	if it.tries > 0 {
		if it.arrival.delivery.Ack != nil {
			c.mark([]Delivery{it.arrival.delivery})
		}
		it.fail(&poisonError{cause})
		return
	}
	last := it.judged(answer{err: &poisonError{cause}})
	last.tries = 1
	c.process(ctx, []*item{last})
}

// OutsideStarts counts starts that came as records or in SQL, and were judged by one transaction.
type OutsideStarts struct {
	Accepted int
	Refused  int // and are in quarantine
	Withheld int // answers that were not sent: their topic is not on the tenant's list
}

func (s *OutsideStarts) log(ctx context.Context, log *slog.Logger, f *forming) {
	if s.Refused > 0 {
		last := ""
		for _, q := range f.batch.Quarantine {
			if strings.HasPrefix(q.Reason, startReason) {
				last = q.Reason // its message may quote the input
			}
		}
		log.WarnContext(ctx, "starts were refused, and are in quarantine", "starts", s.Refused, "last_reason", last)
	}
	if s.Withheld > 0 {
		log.WarnContext(ctx, "answers to starts were not sent: the topic is not on the tenant's list (starts.reply_to)", "answers", s.Withheld, "last_topic", f.withheld)
	}
}
