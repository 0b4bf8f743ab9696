package ui

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator/saga"
)

func TestHuman(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		-time.Second: "0 ms", 340 * time.Millisecond: "340 ms", 2 * time.Second: "2 s", 9999 * time.Millisecond: "9.9 s", 12 * time.Second: "12 s",
		252 * time.Second: "4 min 12 s", time.Hour: "1 h", 3*time.Hour + 5*time.Minute: "3 h 5 min", 52 * time.Hour: "2 d 4 h",
	} {
		require.Equal(t, want, Human(d))
	}
}

func TestNumberAndShortID(t *testing.T) {
	t.Parallel()
	require.Equal(t, "999", Number(999))
	require.Equal(t, "1\u202f000\u202f000", Number(1_000_000))
	require.Equal(t, "-12\u202f345", Number(-12345))
	require.Equal(t, "01a1ffb8…9c67", ShortID("01a1ffb8-4cf5-746f-bc08-4990679c67"))
	require.Equal(t, "short", ShortID("short"))
}

func TestVisible_WritesOutWhatDoesNotShow(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"plain ü": "plain ü", "a\u202egnp.exe": `a\u202egnp.exe`, "zero\u200bwidth\ufeff": `zero\u200bwidth\ufeff`, "two\nlines": "two lines", "nul\x00": `nul\u0000`,
	} {
		require.Equal(t, want, Visible(text))
	}
}

// TestMarks_EveryStatusIsTold: a status that the domain has and that no mark tells would show as a grey dot.
func TestMarks_EveryStatusIsTold(t *testing.T) {
	t.Parallel()
	for _, s := range saga.Statuses() {
		require.NotEqual(t, "dot", StatusMark(string(s)).Icon, s)
	}
	for _, s := range saga.StepStatuses() {
		require.NotEmpty(t, StepMark(string(s)).Hint, s)
	}
	for _, e := range []saga.Effect{saga.EffectNone, saga.EffectPossible, saga.EffectCertain, saga.EffectUndone, saga.EffectUndoFailed, saga.EffectWaived} {
		require.NotEmpty(t, EffectMark(string(e)).Hint, e)
	}
	for _, v := range []saga.Verdict{saga.Committed, saga.CleanlyAborted, saga.Residue} {
		require.NotEmpty(t, VerdictMark(string(v)).Hint, v)
	}
	for _, c := range []saga.Cause{saga.CauseReply, saga.CauseBackoff, saga.CauseHold, saga.CauseAttention, saga.CauseUnpublished} {
		require.NotEmpty(t, CauseMark(string(c)).Hint, c)
	}
}

// TestIcons_TheTwoPathsAreToldApart: the way forward and the way back have a mark each, and every mark is drawn.
func TestIcons_TheTwoPathsAreToldApart(t *testing.T) {
	t.Parallel()
	require.NotEqual(t, iconPath("forward"), iconPath("back"))
	require.Equal(t, "forward", StatusMark("running").Icon)
	require.Equal(t, "back", StatusMark("compensating").Icon)
	for _, name := range []string{"forward", "back", "undone", "check", "cross", "alarm", "clock", "pause", "skip", "stop", "question", "queue", "copy", "search", "theme"} {
		require.NotEqual(t, iconPath("dot"), iconPath(name), name)
	}
}

func TestLayout_KeepsWhatOthersWroteAsText(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	page := Page{Shell: &Shell{Asset: func(name string) string { return "/assets/" + name }, Name: `<b>`, Tenant: `"x"`}, Title: `</title><script>x</script>`, Query: `"><script>`}
	require.NoError(t, Layout(page).Render(t.Context(), &b))
	html := b.String()
	require.NotContains(t, html, "<script>")
	require.NotContains(t, html, " style=")
	require.Equal(t, strings.Count(html, "<script"), strings.Count(html, "<script src="), "no script is inline")
}
