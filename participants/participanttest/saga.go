package participanttest

import (
	"context"
	"encoding/json"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/participants"
	"github.com/skaldhq/skald/participants/wire"
)

// Token is the reply token of every command that a Saga sends.
const Token = "test.token"

// Saga sends commands of one step of one saga to a participant, as the engine would. Every command passes through its
// Kafka form, and so does every reply. It is safe for concurrent use.
type Saga struct {
	ID   wire.ID
	Step string

	t           testing.TB
	participant *participants.Participant
	beats       *beats
}

type beats struct {
	mu      sync.Mutex
	replies []wire.Reply // guarded by mu
}

// New returns a saga with a new id, at a step named "step".
func New(t testing.TB, p *participants.Participant) *Saga {
	t.Helper()
	return &Saga{ID: wire.RandomID(), Step: "step", t: t, participant: p, beats: &beats{}}
}

// At returns the same saga at another step.
func (s *Saga) At(step string) *Saga {
	other := *s
	other.Step = step
	return &other
}

// Option changes a command before it is sent.
type Option func(*wire.Command)

// Edition sets the command's edition, and its id with it; 0 where it is not given.
func Edition(n int) Option { return func(c *wire.Command) { c.Edition = n } }

// Attempt sets the command's attempt; 1 where it is not given.
func Attempt(n int) Option { return func(c *wire.Command) { c.Attempt = n } }

// Execute sends a command to execute. payload becomes JSON; json.RawMessage is taken as it is.
func (s *Saga) Execute(command string, payload any, options ...Option) wire.Reply {
	s.t.Helper()
	return s.send(wire.Execute, command, payload, options)
}

// Compensate sends a compensation.
func (s *Saga) Compensate(command string, payload any, options ...Option) wire.Reply {
	s.t.Helper()
	return s.send(wire.Compensate, command, payload, options)
}

// Probe asks about the execute of the edition given.
func (s *Saga) Probe(command string, payload any, options ...Option) wire.Reply {
	s.t.Helper()
	return s.send(wire.Probe, command, payload, options)
}

// Command is what Execute, Compensate and Probe send.
func (s *Saga) Command(verb wire.Verb, command string, payload any, options ...Option) wire.Command {
	s.t.Helper()
	value, err := json.Marshal(payload)
	require.NoError(s.t, err, "encode payload")
	if raw, ok := payload.(json.RawMessage); ok {
		value = raw
	}
	now := time.Now().UTC().Truncate(time.Microsecond)
	c := wire.Command{
		Source: "/skald/test", Participant: s.participant.Name(), Name: command, SagaID: s.ID, SagaType: "test",
		SagaVersion: 1, Step: s.Step, Verb: verb, Tenant: "default", Attempt: 1, Token: Token,
		ReplyTo: wire.Topics{}.Replies(), Time: now, Expiry: now.Add(5 * time.Second),
		CorrelationID: s.ID.String(), Value: value,
	}
	for _, option := range options {
		option(&c)
	}
	c.ID = wire.CommandID(c.SagaID, c.Step, c.Verb, c.Edition)
	return c
}

// Answer has the participant answer c. The error is participants.ErrNoReply, or ctx's.
func (s *Saga) Answer(ctx context.Context, c wire.Command) (wire.Reply, error) {
	s.t.Helper()
	received, err := wire.DecodeCommand(c.Record(s.participant.Topic()))
	require.NoError(s.t, err)
	reply, err := s.participant.Answer(ctx, &received, func(_ context.Context, beat wire.Reply) {
		s.beats.mu.Lock()
		defer s.beats.mu.Unlock()
		s.beats.replies = append(s.beats.replies, beat)
	})
	if err != nil {
		return wire.Reply{}, err
	}
	sent, err := wire.DecodeReply(reply.Record(c.ReplyTo))
	require.NoError(s.t, err, "the reply must be readable")
	require.Equal(s.t, c.ID, sent.CausationID, "the reply must name the command that it answers")
	require.Equal(s.t, c.Token, sent.Token, "the reply must echo the token")
	require.Equal(s.t, c.Attempt, sent.Attempt, "the reply must echo the attempt")
	require.Equal(s.t, c.Edition, sent.Edition, "the reply must echo the edition")
	return sent, nil
}

// Heartbeats returns the `inprogress` replies so far.
func (s *Saga) Heartbeats() []wire.Reply {
	s.beats.mu.Lock()
	defer s.beats.mu.Unlock()
	return append([]wire.Reply(nil), s.beats.replies...)
}

func (s *Saga) send(verb wire.Verb, command string, payload any, options []Option) wire.Reply {
	s.t.Helper()
	reply, err := s.Answer(s.t.Context(), s.Command(verb, command, payload, options...))
	require.NoError(s.t, err, "%s %s", verb, command)
	return reply
}
