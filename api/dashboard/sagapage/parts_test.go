package sagapage

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/api/client"
)

func TestScale_FoldsANightOfWaiting(t *testing.T) {
	t.Parallel()
	s := newScale([]time.Time{after(0), after(500), after(1000), after(36_000_000)})
	require.Len(t, s.folds, 1)
	require.Greater(t, s.at(after(1000)), 60.0, "the second in which things happened is most of the picture")
	require.InDelta(t, 100, s.at(after(36_000_000)), 0.001)
	require.InDelta(t, s.at(after(500)), s.at(after(1000))/2, 0.001, "what is not folded keeps its proportions")
}

func TestScale_DoesNotFoldWhatIsShort(t *testing.T) {
	t.Parallel()
	require.Empty(t, newScale([]time.Time{after(0), after(1), after(1500)}).folds)
}

func TestScale_GoesBackAndForth(t *testing.T) {
	t.Parallel()
	s := newScale([]time.Time{after(0), after(300), after(90_000)})
	for _, at := range []float64{0, 12.5, 50, 99, 100} {
		require.InDelta(t, at, s.at(s.when(at)), 0.01)
	}
}

func TestScale_OneMoment(t *testing.T) {
	t.Parallel()
	require.InDelta(t, 0, newScale([]time.Time{after(0), after(0)}).at(after(0)), 0.001)
}

func TestPayload_KeepsNumbersAsWritten(t *testing.T) {
	t.Parallel()
	p := seePayload("Input", json.RawMessage(`{"n":1.10,"big":123456789012345678901234567890}`))
	require.Equal(t, "1.10", p.Tree.Under[0].Text)
	require.Equal(t, "123456789012345678901234567890", p.Tree.Under[1].Text)
}

func TestPayload_WritesOutWhatSteersText(t *testing.T) {
	t.Parallel()
	p := seePayload("Input", json.RawMessage(`"a\u202eb\u0007\u200bc"`))
	require.Equal(t, `"a\u202eb\u0007\u200bc"`, p.Tree.Text)
}

func TestPayload_LargeOnesAreTextAndCut(t *testing.T) {
	t.Parallel()
	p := seePayload("Input", json.RawMessage(`"`+strings.Repeat("x", 1<<20)+`"`))
	require.Nil(t, p.Tree)
	require.True(t, p.Cut)
	require.Len(t, p.Raw, rawBytes)
}

func TestPayload_DeepOnesAreText(t *testing.T) {
	t.Parallel()
	p := seePayload("Input", json.RawMessage(strings.Repeat("[", 40)+strings.Repeat("]", 40)))
	require.Nil(t, p.Tree)
	require.NotEmpty(t, p.Raw)
}

func TestLead_AnswersInTenSeconds(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][]string{
		"running":           {"reserve-items waits for an answer of inventory", "2 of 5 steps are done. After this: confirm-order, create-shipment."},
		"queued":            {"charge-payment waits for an answer of payments"},
		"paused":            {"It is paused by ann: stock count in the warehouse."},
		"compensating":      {"charge-payment waits for payments to undo it", "It goes back because reserve-items was refused", "in this order: charge-payment, create-order."},
		"refused":           {"It did not go through, and has been undone.", "charge-payment was refused (card_declined: the card was declined)", "Nothing is left of it."},
		"undo-failed":       {"charge-payment waits for a person: it could not be undone."},
		"stuck-after-pivot": {"create-shipment waits for a person: it was refused"},
		"abandoned":         {"An operator closed it, and accepted what is left.", "2 effects are left: create-order (certain), charge-payment (undo failed)."},
		"late-effect":       {"It did not go through, and not everything could be undone.", "charge-payment (certain)"},
		"completed":         {"It went through.", "All 5 steps are done."},
	} {
		s := states()[name]
		l := leadOf(&s.Saga, s.Possible, s.Now)
		text := l.Title + " " + strings.Join(l.Texts, " ")
		for _, part := range want {
			require.Contains(t, text, part, name)
		}
	}
}

func TestChoices_AreOnlyThoseThatArePossible(t *testing.T) {
	t.Parallel()
	s := undoFailed()
	s.Possible = []Choice{{Action: client.ActionAbandon}}
	v := see(&s.Look, nil, s.Now)
	require.Empty(t, v.Lead.Waits[0].Choices)
	require.Empty(t, v.Main)
	require.Len(t, v.Groups, 1)
	html := render(t, sagaBody(&v))
	require.Contains(t, html, "/act/abandon")
	require.NotContains(t, html, "/act/retry")
}

func TestPage_TenThousandFacts(t *testing.T) {
	t.Parallel()
	s := backingOff()
	for i := range timelineFacts {
		s.fact(4000+10*i, client.Fact{Type: []string{"step.sent", "step.backed_off"}[i%2], Step: "charge-payment", Attempt: i + 4})
	}
	s.Total = 10_000
	v := see(&s.Look, nil, s.Now)
	html := render(t, sagaBody(&v))
	require.Less(t, len(html), 300_000, "what a page holds does not grow with its saga's history")
}
