package outage

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/test/stack"
)

const (
	awayFor     = 60 * time.Second
	stepTimeout = 5 * time.Second // of order-placement
)

// TestKafkaAway stops Kafka for a minute under load. Starts are accepted throughout, no attempt times out that was not
// published (design section 9), and when Kafka is back every saga completes (L1).
func TestKafkaAway(t *testing.T) {
	t.Parallel()
	kafka := newBroker(t, nil).start()
	s := newSite(t, kafka.addr())
	s.participants()
	r := s.serve().Ready(t)
	register(t, r.Client)

	l := startLoad(r.Client, "order", 100*time.Millisecond, "tok_ok")
	t.Cleanup(func() { _, _ = l.finish() }) // asked for its error below
	stack.Eventually(t, 30*time.Second, func(ctx context.Context) error { return completed(ctx, r.Client, 20) })

	kafka.stop()
	down := time.Now()
	unpublishedDuring(t, r.Client, l, down)
	up := time.Now()
	kafka.start()
	n := len(l.accepted())
	stack.Eventually(t, 20*time.Second, func(context.Context) error {
		if now := len(l.accepted()); now < n+30 {
			return fmt.Errorf("%d orders were accepted since Kafka is back", now-n)
		}
		return nil
	})
	orders, err := l.finish()
	require.NoError(t, err, "a start was refused")
	stack.Eventually(t, 2*time.Minute, idle(r.Client))
	t.Logf("%d orders; all ended %s after Kafka was started again", len(orders), time.Since(up).Round(time.Millisecond))

	world, err := stack.ReadWorld(t.Context(), s.pool)
	require.NoError(t, err)
	resent := 0
	for _, o := range orders {
		sg, err := r.Client.Saga(t.Context(), o.id)
		require.NoError(t, err)
		require.Equal(t, client.Completed, sg.Status, "%s: %+v", o.key, sg.Abort)
		require.Equal(t, "committed", sg.Certificate.Verdict)
		require.Empty(t, sg.Attention, o.key)
		require.NoError(t, world.Agrees(&sg))
		resent += onlyPublishedTimedOut(t, r.Client, o.id)
		// An accepted start takes no time of Kafka's; the drain of a request is 15 s.
		require.Less(t, o.took, 5*time.Second, "%s was accepted late", o.key)
	}
	t.Logf("%d attempts were published, not answered in time, and sent again", resent)
	list, err := r.Client.Quarantine(t.Context(), client.QuarantineFilter{})
	require.NoError(t, err)
	require.Empty(t, list.Items)
}

func completed(ctx context.Context, c *client.Client, want int64) error {
	list, err := c.Sagas(ctx, client.SagaFilter{Status: []client.Status{client.Completed}, Limit: 1, Count: true})
	if err != nil {
		return err
	}
	n := int64(0)
	if list.Count != nil {
		n = *list.Count
	}
	if n < want {
		return fmt.Errorf("%d sagas completed", n)
	}
	return nil
}

// unpublishedDuring watches the outage to its end: what was started in it waits for Kafka and for nothing else, also when the
// timeout of its step has long passed.
func unpublishedDuring(t *testing.T, c *client.Client, l *load, down time.Time) {
	t.Helper()
	end := time.NewTimer(time.Until(down.Add(awayFor)))
	defer end.Stop()
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	var seen []order
	for {
		select {
		case <-end.C:
			require.Greater(t, len(seen), 400, "10 orders a second were started while Kafka was away")
			for _, o := range seen {
				waitsForKafka(t, c, o)
			}
			stats, err := c.Stats(t.Context())
			require.NoError(t, err)
			require.GreaterOrEqual(t, stats.ByCause["unpublished"], int64(len(seen)), "%v", stats.ByCause)
			return
		case <-tick.C:
		}
		require.NoError(t, c.Ready(t.Context()), "a replica takes requests while Kafka is away")
		for _, o := range l.accepted() {
			if o.at.Before(down) || time.Since(o.at) < 2*stepTimeout || slices.Contains(seen, o) {
				continue
			}
			waitsForKafka(t, c, o)
			seen = append(seen, o)
		}
	}
}

func waitsForKafka(t *testing.T, c *client.Client, o order) {
	t.Helper()
	sg, err := c.Saga(t.Context(), o.id)
	require.NoError(t, err)
	require.Equal(t, client.Running, sg.Status)
	require.Nil(t, sg.Abort)
	require.Empty(t, sg.Attention)
	require.Equal(t, 1, sg.Steps[0].Attempts)
	require.Len(t, sg.BlockedOn, 1)
	b := sg.BlockedOn[0]
	require.Equal(t, "unpublished create-order execute 1", fmt.Sprintf("%s %s %s %d", b.Cause, b.Step, b.Verb, b.Attempt), "started %s ago", time.Since(o.at))
}

// onlyPublishedTimedOut holds a history against the rule: an attempt follows another by time-out only when that one had been
// acknowledged a whole timeout before. It returns how many did.
func onlyPublishedTimedOut(t *testing.T, c *client.Client, id string) int {
	t.Helper()
	before := map[string]client.Fact{} // the newest attempt of each step
	answered := map[string]bool{}      // by `failed`, which proves that it was published
	resent := 0
	for fact, err := range c.AllHistory(t.Context(), id) {
		require.NoError(t, err)
		switch fact.Type {
		case "step.started", "step.sent":
			if last, again := before[fact.Step]; again && !answered[fact.Step] {
				require.NotNil(t, last.Record, "saga %s: attempt %d of %s was sent at %s while attempt %d was never acknowledged",
					id, fact.Attempt, fact.Step, fact.At, last.Attempt)
				require.NotNil(t, last.Record.At)
				out := fact.At.Sub(*last.Record.At)
				require.GreaterOrEqual(t, out, stepTimeout, "saga %s: attempt %d of %s was sent %s after attempt %d was published",
					id, fact.Attempt, fact.Step, out, last.Attempt)
				resent++
			}
			before[fact.Step], answered[fact.Step] = fact, false
		case "step.backed_off":
			answered[fact.Step] = fact.Code != "timeout"
		case "attention.raised":
			slow(t, id, fact, before[fact.Step])
		case "abort.started", "step.unknown", "step.stuck", "deadline.passed", "undo.started":
			t.Errorf("saga %s: %s of %s: %s", id, fact.Type, fact.Step, fact.Why)
		}
	}
	return resent
}

// slow holds an attention against the rule: the only one that the outage raises is of an attempt that was published before it, and
// that its participant has not reached for ten timeouts (design rule 3). It is gone with the answer.
func slow(t *testing.T, id string, raised, attempt client.Fact) {
	t.Helper()
	require.Equal(t, "slow", raised.Reason, "saga %s: %s of %s: %s", id, raised.Type, raised.Step, raised.Why)
	require.NotNil(t, attempt.Record, "saga %s: attempt %d of %s raised attention and was never acknowledged", id, attempt.Attempt, attempt.Step)
	require.Greater(t, raised.At.Sub(attempt.At), 10*stepTimeout, "saga %s: attention for %s", id, raised.Step)
}
