package conformance

import (
	"fmt"
	"strings"

	"github.com/skaldhq/skald/participants/wire"
)

// delivery is a record that the kit has sent, and what came back for it.
type delivery struct {
	command   wire.Command
	record    wire.Record
	malformed bool // there is nobody to be answered, and no right reply
	answers   []answer
	heartbeat int // how many replies said inprogress
}

// answer is a reply as it came, read without judging it: the rules do that.
type answer struct {
	outcome, code, message string
	value                  []byte
}

func readAnswer(r *wire.Record) answer {
	return answer{
		outcome: header(r, wire.HeaderSagaOutcome), code: header(r, wire.HeaderSagaCode), message: header(r, wire.HeaderSagaMessage), value: r.Value,
	}
}

func (a answer) String() string {
	if a.code == "" {
		return a.outcome
	}
	return a.outcome + " " + a.code
}

// differs says in what two answers to one command differ; "": in nothing.
func (a answer) differs(b answer) string {
	switch {
	case a.outcome != b.outcome || a.code != b.code:
		return fmt.Sprintf("%s, then %s", a, b)
	case string(a.value) != string(b.value):
		return fmt.Sprintf("the value %s, then %s", quote(a.value), quote(b.value))
	case a.message != b.message:
		return fmt.Sprintf("the message %s, then %s", quote([]byte(a.message)), quote([]byte(b.message)))
	}
	return ""
}

// fits is how many things of a reply point at the delivery: no single wrong header may hide what was answered.
func (d *delivery) fits(r *wire.Record) int {
	c := &d.command
	saga := c.SagaID.String()
	points := 0
	for _, fits := range []bool{
		string(r.Key) == saga,
		header(r, wire.HeaderSubject) == saga,
		header(r, wire.HeaderSagaToken) == c.Token,
		header(r, wire.HeaderCausationID) == c.ID.String(),
		header(r, wire.HeaderType) == c.Type()+wire.ReplySuffix,
		header(r, wire.HeaderSagaVerb) == string(c.Verb),
		header(r, wire.HeaderCorrelationID) == c.CorrelationID,
		header(r, wire.HeaderSagaAttempt) == fmt.Sprint(c.Attempt) && header(r, wire.HeaderSagaEdition) == fmt.Sprint(c.Edition),
	} {
		if fits {
			points++
		}
	}
	if header(r, wire.HeaderSagaToken) == c.Token {
		points++ // no other delivery has it
	}
	return points
}

// fitsEnough is the least that makes a reply one to a delivery: more than saga, type and verb, which a made-up one may have.
const fitsEnough = 5

func header(r *wire.Record, name string) string {
	value, _ := r.Header(name)
	return value
}

// quote shows bytes from outside, shortened.
func quote(b []byte) string {
	const most = 60
	text := strings.ToValidUTF8(string(b), "?")
	if runes := []rune(text); len(runes) > most {
		text = string(runes[:most]) + "..."
	}
	return fmt.Sprintf("%q", text)
}
