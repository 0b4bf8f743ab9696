package conformance

import (
	"errors"
	"strings"

	"github.com/skaldhq/skald/participants/wire"
)

// wrongReaders read what they should pass by, or pass by what they should read.
func wrongReaders() []wrong {
	strict := func(header string, wrong func(string) bool) func(wire.Record) (wire.Command, error) {
		return func(r wire.Record) (wire.Command, error) {
			if value, ok := r.Header(header); ok && wrong(value) {
				return wire.Command{}, errors.New("not read")
			}
			c, err := wire.DecodeCommand(r)
			if err == nil && c.Participant != "tester" {
				err = errors.New("another's command")
			}
			return c, err
		}
	}
	nothing := func(*wire.Record, *wire.Command) {}
	return []wrong{
		{name: "RefusesUnknownHeaders", read: strict("ce_newer", func(string) bool { return true }), fails: []string{"unknown-headers"}},
		{
			name: "RefusesParameters", read: strict(wire.HeaderContentType, func(v string) bool { return v != wire.ContentType }),
			fails: []string{"content-type-parameters"},
		},
		{
			name: "ReadsUTCAlone", read: strict(wire.HeaderTime, func(v string) bool { return !strings.HasSuffix(v, "Z") }),
			fails: []string{"time-forms"},
		},
		{
			name: "ReadsTokens", read: strict(wire.HeaderSagaToken, func(v string) bool { return strings.Contains(v, " ") }),
			fails: []string{"token-opaque"},
		},
		{
			name: "MakesIDs", read: lenient(wire.HeaderID, func(_ *wire.Record, c *wire.Command) { c.ID = wire.RandomID() }),
			fails: []string{"malformed-id"},
		},
		{
			name: "RepliesAnyway", read: lenient(wire.HeaderReplyTo, func(_ *wire.Record, c *wire.Command) { c.ReplyTo = testReplies }),
			fails: []string{"malformed-replyto"},
		},
		{
			name: "NeedsNoToken", read: lenient(wire.HeaderSagaToken, nothing),
			fails: []string{"malformed-token"},
		},
		{
			name: "AnswersUnknownVerbs", read: lenient(wire.HeaderSagaVerb, func(r *wire.Record, c *wire.Command) {
				c.Verb = wire.Verb(header(r, wire.HeaderSagaVerb))
			}),
			fails: []string{"malformed-verb"},
		},
		{
			name: "ReadsAnyNumber", read: lenient(wire.HeaderSagaAttempt, func(_ *wire.Record, c *wire.Command) { c.Attempt = 1 }),
			fails: []string{"malformed-attempt"},
		},
		{
			name: "TakesTheFirstOfTwo", read: lenient(wire.HeaderSagaStep, func(r *wire.Record, c *wire.Command) {
				c.Step = header(r, wire.HeaderSagaStep)
			}),
			fails: []string{"malformed-twice"},
		},
		{name: "IgnoresKeys", read: lenient(wire.PartKey, nothing), fails: []string{"malformed-key"}},
		{
			name: "AnswersWhatIsNoJSON", read: lenient(wire.PartValue, func(r *wire.Record, c *wire.Command) {
				if len(r.Value) == 0 {
					c.ReplyTo = "nowhere" // that one it passes by
				}
			}),
			fails: []string{"malformed-value"},
		},
		{
			name: "AnswersWhatIsEmpty", read: lenient(wire.PartValue, func(r *wire.Record, c *wire.Command) {
				if len(r.Value) > 0 {
					c.ReplyTo = "nowhere"
				}
			}),
			fails: []string{"malformed-empty"},
		},
		{
			name: "AnswersForOthers", read: func(r wire.Record) (wire.Command, error) {
				c, err := wire.DecodeCommand(r)
				c.Participant = "tester"
				return c, err
			},
			fails: []string{"malformed-participant"},
		},
	}
}

// lenient reads a record that is no command where its only problem is the one named.
func lenient(header string, mend func(*wire.Record, *wire.Command)) func(wire.Record) (wire.Command, error) {
	return func(r wire.Record) (wire.Command, error) {
		c, err := wire.DecodeCommand(r)
		var problems *wire.DecodeError
		if errors.As(err, &problems) && len(problems.Problems) == 1 && problems.Problems[0].Header == header {
			mend(&r, &c)
			return c, nil
		}
		if err == nil && c.Participant != "tester" {
			return c, errors.New("another's command")
		}
		return c, err
	}
}
