package why

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/test/stack"
)

func TestMain(m *testing.M) { stack.Main(m) }

// soon is how long after its onset a cause may stay without a name.
const soon = 2 * time.Second

// scenario is one thing that goes wrong.
type scenario struct {
	name  string
	onset string // what the two seconds are counted from
	own   func(*testing.T) *site
	// bring has it go wrong for a new saga, and answers when it began.
	bring func(*testing.T, *site) (id string, onset time.Time)
	// named is nil where the saga, as the API shows it, names the cause.
	named func(*client.Saga) error
	says  []string // by `skald saga why`
	// mend is what the operator does, each action rehearsed first.
	mend    func(*testing.T, *site, string)
	status  client.Status
	verdict string
}

// TestWhy runs every scenario. Those that need no server of their own share one.
func TestWhy(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("needs servers")
	}
	shared := newSite(t, stack.New(t))
	for _, sc := range []scenario{
		brokerDown(), databaseDown(), participantDown(), // the longest first
		participantSlow(), participantRefuses(), participantLies(), poisonRecord(), compensationRefused(), stuckBeforeThePivot(), stuckAfterThePivot(),
	} {
		t.Run(sc.name, func(t *testing.T) {
			t.Parallel()
			s := shared
			if sc.own != nil {
				s = sc.own(t)
			}
			sc.run(t, s.in(t))
		})
	}
}

func (sc *scenario) run(t *testing.T, s *site) {
	id, onset := sc.bring(t, s)
	sc.tells(t, s, id, onset)
	sc.mend(t, s, id)
	sg := s.ended(t, id)
	require.Equal(t, sc.status, sg.Status)
	require.Equal(t, sc.verdict, sg.Certificate.Verdict)
	require.Empty(t, sg.Attention, "nothing is left for a person")
	s.agrees(t, &sg)
}

// tells wants the cause named within the time, and says how long it took.
func (sc *scenario) tells(t *testing.T, s *site, id string, onset time.Time) {
	t.Helper()
	var took time.Duration
	stack.Eventually(t, 10*soon, func(ctx context.Context) error {
		sg, err := s.replica.Saga(ctx, id)
		if err != nil {
			return err
		}
		if err := sc.named(&sg); err != nil {
			return fmt.Errorf("the API says %+v, attention %+v: %w", sg.BlockedOn, sg.Attention, err)
		}
		text := s.cli(t, "saga", "why", id)
		for _, want := range sc.says {
			if !strings.Contains(text, want) {
				return fmt.Errorf("skald saga why does not say %q:\n%s", want, text)
			}
		}
		took = time.Since(onset)
		return nil
	})
	if !stack.Raced { // which makes the server and the command line several times as slow: there it is named at all
		require.LessOrEqual(t, took, soon, "onset: %s", sc.onset)
	}
	t.Logf("named by the API and the command line %s after the onset: %s", took.Round(time.Millisecond), sc.onset)
}

// waitsFor finds what a saga waits for in one step.
func waitsFor(sg *client.Saga, step, cause string) (client.BlockedOn, error) {
	for _, b := range sg.BlockedOn {
		if b.Step == step && b.Cause == cause {
			return b, nil
		}
	}
	return client.BlockedOn{}, fmt.Errorf("%s waits for no %s", step, cause)
}

// asksFor finds an attention.
func asksFor(sg *client.Saga, step, reason string) error {
	for _, a := range sg.Attention {
		if a.Step == step && a.Reason == reason {
			return nil
		}
	}
	return fmt.Errorf("no attention %s for %s", reason, step)
}

// stuck is nil where a step waits for a person, for that reason.
func stuck(sg *client.Saga, step, reason string) error {
	b, err := waitsFor(sg, step, "attention")
	if err == nil && b.Reason != reason {
		err = fmt.Errorf("%s waits for a person: %s", step, b.Reason)
	}
	return errors.Join(err, asksFor(sg, step, reason))
}
