package conformance

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"github.com/skaldhq/skald/participants/wire"
)

const (
	source     = "/skald/conformance"
	definition = "conformance"
	step       = "conformance-step"
)

// session is one run: what was sent, and what has come.
type session struct {
	Config
	topic      string
	partitions int32
	replyTo    string
	spread     map[string]int32 // partitions of the reply topics
	sent       []*delivery
	strays     []string
	broken     map[string]string // by rule: what was wrong first
	judged     map[string]int    // by rule: replies that it was about
	replies    int
	ids        map[string]bool // ce_id of replies
	lost       error           // why nothing can be sent any more
}

func newSession(config Config) *session {
	s := &session{Config: config, broken: map[string]string{}, judged: map[string]int{}, ids: map[string]bool{}, spread: map[string]int32{}}
	s.topic, s.partitions = s.Link.Commands()
	var partitions int32
	s.replyTo, partitions = s.Link.Replies()
	s.spread[s.replyTo] = partitions
	return s
}

// command is a command of a saga, at its first attempt.
func (s *session) command(saga wire.ID, name string, verb wire.Verb, edition int, payload []byte) wire.Command {
	c := wire.Command{
		ID: wire.CommandID(saga, step, verb, edition), Source: source, Participant: s.Plan.Participant, Name: name,
		SagaID: saga, SagaType: definition, SagaVersion: 1, Step: step, Verb: verb, Tenant: s.Tenant, Edition: edition,
		ReplyTo: s.replyTo, CorrelationID: "conformance " + saga.String()[:8], Value: payload,
	}
	return s.next(c)
}

// next is the next attempt of a command: what the protocol lets change has changed.
func (s *session) next(c wire.Command) wire.Command {
	c.Attempt++
	c.Token = "conformance." + rand.Text()
	c.Time = s.Now().UTC()
	c.Expiry = c.Time.Add(max(s.Patience, time.Minute))
	return c
}

// deliver makes a delivery of a command as it stands.
func (s *session) deliver(c wire.Command) *delivery {
	d := &delivery{command: c, record: c.Record(s.topic)}
	d.record.Partition = wire.Partition(d.record.Key, s.partitions)
	return d
}

// send sends deliveries at once, in order.
func (s *session) send(ctx context.Context, deliveries ...*delivery) error {
	records := make([]wire.Record, len(deliveries))
	for i, d := range deliveries {
		records[i] = d.record
	}
	s.sent = append(s.sent, deliveries...)
	if err := s.Link.Send(ctx, records...); err != nil {
		s.lost = fmt.Errorf("send to %s: %w", s.topic, err)
		return s.lost
	}
	return nil
}

// await receives until each delivery is answered, or nothing has come for patience.
func (s *session) await(ctx context.Context, patience time.Duration, deliveries ...*delivery) bool {
	return s.receive(ctx, patience, func() bool {
		for _, d := range deliveries {
			if len(d.answers) == 0 {
				return false
			}
		}
		return true
	})
}

func (s *session) receive(ctx context.Context, patience time.Duration, enough func() bool) bool {
	for !enough() {
		waiting, cancel := context.WithTimeout(ctx, patience)
		record, err := s.Link.Receive(waiting)
		cancel()
		if err != nil {
			return false
		}
		s.take(&record)
	}
	return true
}

// take finds the delivery that a reply is about, and judges the reply.
func (s *session) take(r *wire.Record) {
	s.replies++
	var best *delivery
	most := fitsEnough - 1
	for _, d := range s.sent {
		// Of two deliveries that are alike, the one that waits.
		if points := d.fits(r); points > most || best != nil && points == most && len(best.answers) > 0 && len(d.answers) == 0 {
			best, most = d, points
		}
	}
	if best == nil {
		s.strays = append(s.strays, stray(r))
		return
	}
	for _, rule := range rules() {
		if best.malformed || rule.judge == nil || rule.about != nil && !rule.about(r) {
			continue
		}
		s.judged[rule.Name]++
		if saw := rule.judge(s, best, r); saw != "" && s.broken[rule.Name] == "" {
			s.broken[rule.Name] = fmt.Sprintf("in the reply to %s, partition %d, offset %d: %s", best.command.Type(), r.Partition, r.Offset, saw)
		}
	}
	s.ids[strings.ToLower(header(r, wire.HeaderID))] = true
	if a := readAnswer(r); a.outcome == string(wire.InProgress) {
		best.heartbeat++
	} else {
		best.answers = append(best.answers, a)
	}
}

func stray(r *wire.Record) string {
	return fmt.Sprintf("partition %d, offset %d: key %s, type %s, outcome %s", r.Partition, r.Offset, quote(r.Key),
		quote([]byte(header(r, wire.HeaderType))), quote([]byte(header(r, wire.HeaderSagaOutcome))))
}
