package sagapage

import (
	"strings"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/api/dashboard/ui"
)

// certView is the certificate in words: so far, while the saga lives.
type certView struct {
	Title   string
	Mark    *ui.Mark
	Strong  string
	Text    string
	Rows    []certRow
	Amended bool
}

type certRow struct {
	Step  string
	Mark  ui.Mark
	Means string
	Notes string
}

func certify(sg *client.Saga) certView {
	v := certView{Title: "Certificate so far"}
	effects := make([]client.StepEffect, len(sg.Steps))
	for i := range sg.Steps {
		st := &sg.Steps[i]
		effects[i] = client.StepEffect{Step: st.Name, Effect: st.Effect, ByOperator: st.ByOperator, Disputed: st.Disputed}
	}
	if c := sg.Certificate; c != nil && sg.Status.Terminal() {
		mark := ui.VerdictMark(c.Verdict)
		v.Title, v.Mark, v.Amended, effects = "Certificate", &mark, c.Amended, c.Effects
	}
	residue := v.Mark != nil && sg.Certificate.Verdict == "residue"
	var stand, doubt []string
	for _, e := range effects {
		switch e.Effect {
		case "certain", "undo_failed", "waived":
			stand = append(stand, e.Step)
		case "possible":
			doubt = append(doubt, e.Step)
		}
		row := certRow{Step: e.Step, Mark: ui.EffectMark(e.Effect), Means: effectMeans(e.Effect)}
		if residue && e.Effect != "none" && e.Effect != "undone" { // it is what was left, however sure that is
			row.Mark.Icon, row.Mark.Tone = "alarm", ui.Bad
			if e.Effect == "certain" {
				row.Means = "happened, and stays"
			}
		}
		var notes []string
		if e.ByOperator {
			notes = append(notes, "an operator says so")
		}
		if e.Disputed {
			notes = append(notes, "its participant contradicts")
		}
		row.Notes = strings.Join(notes, "; ")
		v.Rows = append(v.Rows, row)
	}
	v.Strong, v.Text = verdictText(sg, stand, doubt)
	return v
}

func verdictText(sg *client.Saga, stand, doubt []string) (strong, text string) {
	if sg.Status.Terminal() && sg.Certificate != nil {
		switch sg.Certificate.Verdict {
		case "committed":
			return "Everything that was to happen did.", "Each effect below is certain."
		case "cleanly_aborted":
			return "Nothing is left of it.", "Whatever had been done was undone, and the participants confirmed it."
		}
		return "Something was left behind.", "What is not marked none or undone stands in the world, or may."
	}
	var parts []string
	if len(stand) > 0 {
		parts = append(parts, counted(len(stand), "effect stands", "effects stand")+": "+some(stand)+".")
	}
	if len(doubt) > 0 {
		parts = append(parts, counted(len(doubt), "effect is", "effects are")+" possible and not confirmed: "+some(doubt)+".")
	}
	text = strings.Join(parts, " ")
	switch {
	case len(stand)+len(doubt) == 0:
		return "Nothing has taken effect.", "If it ended now, nothing would be left of it."
	case sg.Abort != nil:
		return "Not clean yet.", text
	}
	return "Not decided yet.", text
}

func effectMeans(effect string) string {
	switch effect {
	case "none":
		return "nothing happened"
	case "possible":
		return "may have happened"
	case "certain":
		return "happened"
	case "undone":
		return "happened, and was undone"
	case "undo_failed":
		return "happened, and could not be undone"
	case "waived":
		return "stays; an operator accepted it"
	}
	return ""
}
