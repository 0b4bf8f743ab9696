package guarantees

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/participants"
	"github.com/skaldhq/skald/test/stack"
)

func TestMain(m *testing.M) { stack.Main(m) }

func setup(t *testing.T) *stack.Stack {
	t.Helper()
	if testing.Short() {
		t.Skip("needs servers")
	}
	return stack.New(t)
}

// errand has two steps that leave nothing; what a clerk answers is up to the test. A command that is lost is asked again after half
// a minute, so that nothing that is lost goes unseen.
const errand = `
saga: errand
version: 1
defaults: {timeout: 30s, retry: {max_attempts: 5, initial: 3s, multiplier: 1, max: 3s, jitter: 0}}
steps:
  - {name: ask, participant: clerk, command: Ask.v1, effect: none}
  - {name: file, participant: clerk, command: File.v1, effect: none}
`

func register(t *testing.T, c *client.Client, name string, version int, src string) {
	t.Helper()
	stack.Eventually(t, 30*time.Second, func(ctx context.Context) error { // Kafka may be too busy to make topics: 503
		_, _, err := c.PutDefinition(ctx, name, version, []byte(src), true)
		return err
	})
}

// mode is the input of an errand.
func mode(text string) json.RawMessage { return json.RawMessage(fmt.Sprintf(`{"mode": %q}`, text)) }

// obliging answers every command at once.
func obliging(p *participants.Participant) {
	for _, name := range []string{"Ask.v1", "File.v1"} {
		p.Handle(name, func(context.Context, *participants.Request) (participants.Result, error) {
			return participants.Succeed(nil)
		}, nil)
	}
}

// all are the sagas that there are.
func all(t *testing.T, c *client.Client) map[string]client.Saga {
	t.Helper()
	found := map[string]client.Saga{}
	for sg, err := range c.AllSagas(t.Context(), client.SagaFilter{Limit: 500}) {
		require.NoError(t, err)
		found[sg.ID] = sg
	}
	return found
}

// ended waits until no saga is live.
func ended(t *testing.T, c *client.Client, limit time.Duration) {
	t.Helper()
	stack.Eventually(t, limit, func(ctx context.Context) error {
		stats, err := c.Stats(ctx)
		if err == nil && stats.Live > 0 {
			err = fmt.Errorf("%d sagas live: %v, waiting for %v", stats.Live, stats.ByStatus, stats.ByCause)
		}
		return err
	})
}

// errFew says that there are too few of something yet.
type errFew struct{ have, want int }

func (e errFew) Error() string { return fmt.Sprintf("%d of %d", e.have, e.want) }
