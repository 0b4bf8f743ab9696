package sagapage

import (
	"net/url"
	"slices"

	"github.com/a-h/templ"

	"github.com/skaldhq/skald/api/client"
)

// choiceView is an action that is offered.
type choiceView struct {
	Choice
	Verb   string // on its button
	Means  string // what it does, in a sentence
	Note   string // when it is right; empty: Means says it
	URL    templ.SafeURL
	Danger bool
}

// choiceGroup is the actions on one step, or on the whole saga.
type choiceGroup struct {
	Title   string
	Choices []choiceView
}

func choiceOf(sg *client.Saga, c Choice, note string) choiceView {
	v := choiceView{Choice: c, Verb: verbOf(c.Action), Means: meansOf(c.Action), Note: note}
	v.Danger = c.Action == client.ActionAbandon || c.Action == client.ActionCancel || c.Action == client.ActionWaive || c.Action == client.ActionReject
	query := ""
	if c.Step != "" {
		query = "?" + url.Values{"step": {c.Step}}.Encode()
	}
	v.URL = sagaURL(sg.ID, "/act/"+string(c.Action)+query)
	return v
}

// offer sorts what is possible: a few beside the title, those that somebody who waits would want first, and all in groups.
func offer(sg *client.Saga, possible []Choice, wanted []choiceView) (first []choiceView, groups []choiceGroup) {
	for _, c := range wanted {
		if c.Step != "" && len(first) < 2 {
			first = append(first, c)
		}
	}
	for _, action := range []client.Action{client.ActionResume, client.ActionPause, client.ActionCancel} {
		if slices.Contains(possible, Choice{Action: action}) && len(first) < 3 {
			first = append(first, choiceOf(sg, Choice{Action: action}, ""))
		}
	}
	for _, c := range possible {
		title := "The whole saga"
		if c.Step != "" {
			title = c.Step
		}
		if len(groups) == 0 || groups[len(groups)-1].Title != title {
			groups = append(groups, choiceGroup{Title: title})
		}
		last := &groups[len(groups)-1]
		last.Choices = append(last.Choices, choiceOf(sg, c, ""))
	}
	return first, groups
}

func verbOf(action client.Action) string {
	switch action {
	case client.ActionCancel:
		return "Cancel and undo"
	case client.ActionPause:
		return "Pause"
	case client.ActionResume:
		return "Resume"
	case client.ActionRetry:
		return "Retry"
	case client.ActionComplete:
		return "Complete by hand"
	case client.ActionReject:
		return "Give up and undo"
	case client.ActionSkip:
		return "Skip"
	case client.ActionWaive:
		return "Waive"
	case client.ActionAbandon:
		return "Abandon"
	case client.ActionAcknowledge:
		return "Acknowledge"
	case ActionRebind:
		return "Change version"
	}
	return string(action)
}

func meansOf(action client.Action) string {
	switch action {
	case client.ActionCancel:
		return "Nothing more is sent forward, and everything that was done is undone."
	case client.ActionPause:
		return "Nothing more is sent and the timers stand still, until somebody resumes it."
	case client.ActionResume:
		return "It goes on where it stopped."
	case client.ActionRetry:
		return "The command is sent again now, with a fresh budget of attempts."
	case client.ActionComplete:
		return "You say that it was done. The saga goes on as if the participant had said so."
	case client.ActionReject:
		return "You give the step up. Everything that was done is undone, this step too."
	case client.ActionSkip:
		return "The saga goes on without this step, which had no effect."
	case client.ActionWaive:
		return "You accept that the effect of this step stays. The certificate lists it as residue."
	case client.ActionAbandon:
		return "The saga is closed as it is. Nothing more is sent; whatever took effect stays, and is listed as residue."
	case client.ActionAcknowledge:
		return "You have looked at it; the attention is cleared."
	case ActionRebind:
		return "The saga goes on by another version of its definition, with the same steps."
	}
	return ""
}

func pathPart(s string) string { return url.PathEscape(s) }
