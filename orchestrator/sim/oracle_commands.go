package sim

import (
	"bytes"
	"time"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
	"github.com/skaldhq/skald/participants/wire"
)

// commandKey names a command: every attempt of an edition is the same one.
type commandKey struct {
	saga    saga.ID
	step    string
	verb    saga.Verb
	edition int
}

// ordered is a command of a committed transaction.
type ordered struct {
	key   commandKey
	at    time.Time
	first orchestrator.Record
	seen  bool // it reached Kafka
}

func keyOf(r *orchestrator.Record) commandKey {
	return commandKey{r.Saga, r.Step, r.Verb, r.Edition}
}

// promise notes a command that is to reach Kafka (S6), byte for byte what the input implies (S22) and every time the same (S5).
func (o *oracle) promise(r *orchestrator.Record) {
	key := keyOf(r)
	p := o.commands[key]
	if p == nil {
		p = &ordered{key: key, at: o.w.now, first: *r}
		o.commands[key], o.unseen = p, append(o.unseen, p)
		t := o.tracks[r.Saga]
		if t == nil {
			o.w.violate("S3", "a command of saga %s, which was never committed", r.Saga)
			return
		}
		if want := o.implied(t, r); want != nil && !bytes.Equal(want, r.Value) {
			o.w.violate("S22", "%s %s of %s (%s) is sent %s where the input implies %s", r.Verb, r.Step, r.Saga, t.def.Name, r.Value, want)
		}
		return
	}
	o.same(&p.first, r)
}

// same holds S5: key, value and headers never change, but for the few that tell of the attempt.
func (o *oracle) same(a, b *orchestrator.Record) {
	if !bytes.Equal(a.Value, b.Value) || !bytes.Equal(a.Key, b.Key) || a.Topic != b.Topic || len(a.Headers) != len(b.Headers) {
		o.w.violate("S5", "%s %s of %s was sent with another key, value or topic:\n%s\n%s", b.Verb, b.Step, b.Saga, a.Value, b.Value)
		return
	}
	for i := range a.Headers {
		x, y := &a.Headers[i], &b.Headers[i]
		if x.Key != y.Key || !bytes.Equal(x.Value, y.Value) && !ofAttempt(x.Key) {
			o.w.violate("S5", "%s %s of %s: header %s was %q and is %s %q", b.Verb, b.Step, b.Saga, x.Key, x.Value, y.Key, y.Value)
		}
	}
}

// ofAttempt reports whether a header may differ between the deliveries of a command.
func ofAttempt(header string) bool {
	switch header {
	case wire.HeaderSagaAttempt, wire.HeaderTime, wire.HeaderExpiryTime, wire.HeaderSagaToken, wire.HeaderTraceParent, wire.HeaderTraceState:
		return true
	}
	return false
}

// implied is the payload that plan and input imply; nil where an operator may have given another one, or an output counts.
func (o *oracle) implied(t *track, r *orchestrator.Record) []byte {
	i := t.def.StepIndex(r.Step)
	if o.corrected[stepKey{r.Saga, r.Step}] {
		return nil
	}
	plan := o.plans[commandOf(keyOf(r))]
	if plan == nil {
		return nil // the history tells of no such command, which S4 says
	}
	kind := plan.payload[i]
	if r.Verb == saga.Compensate {
		kind = plan.undo[i]
	}
	input := t.in.Input
	switch kind {
	case payloadDefault:
		if r.Verb != saga.Compensate {
			return input
		}
		forward := o.commands[commandKey{r.Saga, r.Step, saga.Execute, 0}]
		if forward == nil {
			return nil
		}
		out := append([]byte(`{"payload":`), forward.first.Value...)
		if !bytes.HasPrefix(r.Value, out) {
			return out
		}
		return nil
	case payloadOdd:
		return field(input, "odd")
	case payloadObject:
		out := append([]byte(`{"id":`), field(input, "id")...)
		return append(append(append(out, `,"odd":`...), field(input, "odd")...), '}')
	case payloadText, payloadOutput:
	}
	return nil
}

// field is the raw value of a member of an input that people.input wrote; null where it has none.
func field(input []byte, name string) []byte {
	at := bytes.Index(input, []byte(`"`+name+`": `))
	if at < 0 {
		return rawField(input, name)
	}
	rest := input[at+len(name)+4:]
	if name == "odd" { // the last one
		return rest[:len(rest)-1]
	}
	return rest[:bytes.IndexByte(rest, ',')]
}

func rawField(input []byte, name string) []byte {
	if name == "id" && bytes.Contains(input, []byte(`"another"`)) {
		return []byte(`"another"`)
	}
	return []byte("null")
}

// sent looks at a command that reached Kafka.
func (o *oracle) sent(r orchestrator.Record) {
	p := o.commands[keyOf(&r)]
	if p == nil {
		o.w.violate("S3", "%s %s of %s was published and never committed", r.Verb, r.Step, r.Saga)
		return
	}
	o.same(&p.first, &r)
	p.seen = true
}

// received looks at a command that reached its participant.
func (o *oracle) received(c *wire.Command) {
	p := o.commands[commandKey{saga.ID(c.SagaID), c.Step, saga.Verb(c.Verb), c.Edition}]
	if p == nil {
		o.w.violate("S3", "%s %s of %s was received and never committed", c.Verb, c.Step, c.SagaID)
		return
	}
	t := o.tracks[saga.ID(c.SagaID)]
	if !bytes.Equal(c.Value, p.first.Value) {
		o.w.violate("S22", "%s %s of %s was received as %s and committed as %s", c.Verb, c.Step, c.SagaID, c.Value, p.first.Value)
	}
	if under := o.plans[commandOf(p.key)].def; c.SagaType != under.Name || c.SagaVersion != under.Version {
		o.w.violate("S20", "%s %s of %s was created under version %d, and is on %s version %d", c.Verb, c.Step, c.SagaID, under.Version, c.SagaType, c.SagaVersion)
	}
	if c.Tenant != t.tenant {
		o.w.violate("S23", "%s %s of %s is of tenant %s", c.Verb, c.Step, c.SagaID, c.Tenant)
	}
	if want := wire.CommandID(c.SagaID, c.Step, c.Verb, c.Edition); c.ID != want {
		o.w.violate("S5", "%s %s of %s has id %s", c.Verb, c.Step, c.SagaID, c.ID)
	}
	if err := o.w.actors.ring.Verify(c.Token, c.Tenant, c.SagaID, c.ID, c.Participant); err != nil {
		o.w.violate("S9", "%s %s of %s has a token that does not fit: %v", c.Verb, c.Step, c.SagaID, err)
	}
}
