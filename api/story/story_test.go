package story_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/api/story"
)

func at(second int) time.Time {
	return time.Date(2026, 11, 21, 9, 0, second, 0, time.UTC)
}

func TestBars_AttemptsEndInWhatEndedThem(t *testing.T) {
	t.Parallel()
	sg := client.Saga{Steps: []client.Step{{Name: "charge"}, {Name: "reserve"}}}
	bars := story.Bars(&sg, []client.Fact{
		{Type: "step.started", Step: "charge", Attempt: 1, At: at(0)},
		{Type: "step.backed_off", Step: "charge", At: at(1)},
		{Type: "step.sent", Step: "charge", Attempt: 2, At: at(2)},
		{Type: "step.succeeded", Step: "charge", At: at(3)},
		{Type: "undo.started", Step: "charge", Attempt: 1, At: at(4)},
		{Type: "undo.failed", Step: "charge", At: at(5)},
		{Type: "step.started", Step: "elsewhere", Attempt: 1, At: at(6)},
	})
	require.Equal(t, []story.Bar{
		{Step: "charge", Mark: "✓", Spans: []story.Span{
			{What: story.Attempt, Attempt: 1, Outcome: "step.backed_off", From: at(0), To: at(1)},
			{What: story.BackOff, From: at(1), To: at(2)},
			{What: story.Attempt, Attempt: 2, Outcome: "step.succeeded", From: at(2), To: at(3)},
		}},
		{Step: "charge", Undo: true, Mark: "✗", Spans: []story.Span{
			{What: story.Attempt, Attempt: 1, Outcome: "undo.failed", From: at(4), To: at(5)},
			{What: story.Wait, From: at(5)},
		}},
		{Step: "reserve"},
	}, bars)
}

func TestBars_NothingGoesOnAfterTheEnd(t *testing.T) {
	t.Parallel()
	end := at(9)
	sg := client.Saga{Steps: []client.Step{{Name: "charge"}}, EndedAt: &end}
	bars := story.Bars(&sg, []client.Fact{{Type: "step.stuck", Step: "charge", At: at(1)}})
	require.Equal(t, end, bars[0].Spans[0].To, "an abandoned saga's step waits for nobody")
}

func TestWaits_OffersNothingThatARetriableStepCannot(t *testing.T) {
	t.Parallel()
	sg := client.Saga{Steps: []client.Step{{Name: "ship", Kind: "retriable"}}}
	r := story.Waits(&sg, &client.BlockedOn{Cause: "reply", Step: "ship", Since: at(0)}, at(1))
	require.Equal(t, []story.Option{{Action: client.ActionComplete, Step: "ship", Note: "if you know that it was done"}}, r.Can)
}

func TestTook(t *testing.T) {
	t.Parallel()
	for want, d := range map[string]time.Duration{"12 ms": 12 * time.Millisecond, "1.5 s": 1500 * time.Millisecond, "2m 5s": 125 * time.Second, "-1h 0m": -time.Hour} {
		require.Equal(t, want, story.Took(d))
	}
}
