package participanttest

import (
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/participants"
	"github.com/skaldhq/skald/participants/wire"
)

// player does the lines of one script.
type player struct {
	*rig
	replies map[string]wire.Reply
	started map[string]<-chan wire.Reply
	sagas   map[string]*Saga
}

func (s script) play(r *rig) {
	p := &player{rig: r, replies: map[string]wire.Reply{}, started: map[string]<-chan wire.Reply{}, sagas: map[string]*Saga{}}
	for _, line := range s.lines {
		p.line(line)
	}
}

func (p *player) line(line string) {
	p.t.Helper()
	verb, rest, _ := strings.Cut(line, " ")
	words := strings.Fields(rest)
	switch verb {
	case "start":
		name, sent, _ := strings.Cut(rest, " = ")
		saga, c := p.command(strings.Fields(sent))
		p.started[name] = p.asyncAs(saga, c)
	case "await":
		name, want, _ := strings.Cut(rest, " : ")
		p.answered(p.await(p.started[name]), want)
	case "entered":
		p.awaitEntered()
	case "release":
		close(p.release)
	case "at-once":
		p.atOnce(rest)
	case "race":
		p.race(p.number(words[0]))
	case "effects":
		p.wantEffects(words...)
	case "same":
		require.Equal(p.t, string(p.replies[words[0]].Value), string(p.replies[words[1]].Value), line)
	case "other-id":
		require.NotEqual(p.t, p.replies[words[0]].ID, p.replies[words[1]].ID, line)
	case "message":
		name, text, _ := strings.Cut(rest, " ")
		require.Equal(p.t, text, p.replies[name].Message, line)
	case "retry-after":
		require.EqualValues(p.t, p.number(words[1]), p.replies[words[0]].RetryAfter.Milliseconds(), line)
	case "kill":
		p.kill(rest)
	case "provider":
		p.provider.told(p.t, rest)
	case "during":
		p.provider.set(func(at *provider) {
			at.during = func() {
				p.provider.set(func(at *provider) { at.during = nil })
				p.line(rest)
			}
		})
	case "calls":
		require.Len(p.t, p.provider.made(), p.number(words[0]), line)
	case "call":
		key := wire.CommandID(p.ID, p.Step, wire.Verb(words[2]), p.number(words[3]))
		require.Equal(p.t, words[1]+" "+key.String(), p.provider.made()[p.number(words[0])], line)
	case "charged":
		require.Equal(p.t, p.number(words[0]), p.provider.charged(), line)
	default:
		p.send(line)
	}
}

// send does "[NAME =] VERB COMMAND ... : OUTCOME [CODE]".
func (p *player) send(line string) {
	p.t.Helper()
	sent, want, ok := strings.Cut(line, " : ")
	require.True(p.t, ok, "cannot be read: %s", line)
	name, rest, named := strings.Cut(sent, " = ")
	if !named {
		rest = sent
	}
	saga, c := p.command(strings.Fields(rest))
	reply, err := saga.Answer(p.t.Context(), c)
	require.NoError(p.t, err, line)
	p.answered(reply, want)
	p.replies[name] = reply
}

func (p *player) answered(reply wire.Reply, want string) {
	p.t.Helper()
	outcome, code, _ := strings.Cut(want, " ")
	p.want(reply, wire.Outcome(outcome), code)
}

// command reads "VERB COMMAND ANSWER options...".
func (p *player) command(words []string) (*Saga, wire.Command) {
	p.t.Helper()
	saga := p.Saga
	var options []Option
	for rest := words[3:]; len(rest) > 0; {
		switch rest[0] {
		case "edition":
			options = append(options, Edition(p.number(rest[1])))
		case "attempt":
			options = append(options, Attempt(p.number(rest[1])))
		case "step":
			saga = saga.At(rest[1])
		case "saga":
			if p.sagas[rest[1]] == nil {
				p.sagas[rest[1]] = New(p.t, p.participant)
			}
			saga = p.sagas[rest[1]]
		case "hasty":
			other := *saga
			other.participant = p.serving(participants.Config{ProbeWait: hastyWait, CompensateWait: hastyWait})
			saga, rest = &other, rest[1:]
			continue
		default:
			require.Fail(p.t, "no such option", "%q", words)
		}
		rest = rest[2:]
	}
	return saga, saga.Command(wire.Verb(words[0]), words[1], order{Answer: words[2]}, options...)
}

const hastyWait = 50 * time.Millisecond

func (p *player) atOnce(rest string) {
	p.t.Helper()
	n, line, _ := strings.Cut(rest, " ")
	sent, want, _ := strings.Cut(line, " : ")
	var replies []<-chan wire.Reply
	for attempt := range p.number(n) {
		saga, c := p.command(append(strings.Fields(sent), "attempt", strconv.Itoa(attempt+1)))
		replies = append(replies, p.asyncAs(saga, c))
	}
	for _, c := range replies {
		p.answered(p.await(c), want)
	}
}

func (p *player) race(n int) {
	p.t.Helper()
	var sagas sync.WaitGroup
	undone := make([]wire.Reply, n)
	for i := range n {
		saga := New(p.t, p.participant)
		executed := p.asyncAs(saga, saga.Command(wire.Execute, "Do.v1", order{Answer: "succeed"}))
		undo := p.asyncAs(saga, saga.Command(wire.Compensate, "Undo.v1", order{Answer: "succeed"}))
		again := p.asyncAs(saga, saga.Command(wire.Execute, "Do.v1", order{Answer: "succeed"}, Attempt(2)))
		sagas.Go(func() {
			<-executed
			undone[i] = <-undo
			<-again
		})
	}
	sagas.Wait()
	net := map[string]int{}
	for _, effect := range p.world.Effects() {
		net[effect]++
	}
	for _, reply := range undone {
		require.Equal(p.t, wire.Succeeded, reply.Outcome, reply.Message)
	}
	require.Equal(p.t, net["done"], net["undone"], "every effect was undone")
}

func (p *player) kill(when string) {
	p.t.Helper()
	switch when {
	case "before":
		p.barrier.killBeforeCommit()
	case "after":
		p.barrier.killAfterCommit()
	default:
		require.Fail(p.t, "no such time", when)
	}
}

func (p *player) number(s string) int {
	p.t.Helper()
	n, err := strconv.Atoi(s)
	require.NoError(p.t, err)
	return n
}
