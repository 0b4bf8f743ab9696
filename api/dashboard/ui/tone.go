package ui

// Tone is the colour of a mark. It never stands alone: an icon and a word say the same.
type Tone string

// The tones.
const (
	Good  Tone = "ok"   // done, nothing to do
	Going Tone = "run"  // moves forward
	Back  Tone = "back" // the way back: compensation, in progress or done
	Bad   Tone = "bad"  // needs a person, or went wrong
	Wait  Tone = "wait" // waits, and goes on by itself
	Idle  Tone = "idle" // nothing happens here
)

// Mark is how a state is told: by icon, word and colour.
type Mark struct {
	Icon string // a name that Icon knows
	Word string
	Tone Tone
	Hint string // a sentence, for the tooltip; empty: none
}

// StatusMark is the mark of a saga's status.
func StatusMark(status string) Mark {
	switch status {
	case "running":
		return Mark{"forward", "Running", Going, "on its way forward"}
	case "compensating":
		return Mark{"back", "Going back", Back, "being undone, in reverse order"}
	case "suspended":
		return Mark{"alarm", "Suspended", Bad, "nothing can move without a person"}
	case "completed":
		return Mark{"check", "Completed", Good, "every step succeeded"}
	case "compensated":
		return Mark{"undone", "Compensated", Back, "everything that was done has been undone, or is listed as residue"}
	case "abandoned":
		return Mark{"stop", "Abandoned", Idle, "closed by an operator, who accepted the residue"}
	}
	return Mark{"dot", status, Idle, ""}
}

// StepMark is the mark of a step's status.
func StepMark(status string) Mark {
	switch status {
	case "pending":
		return Mark{"dot", "not started", Idle, "its command has not been created"}
	case "held":
		return Mark{"pause", "held", Wait, "ready, and not sent: a pause, a hold, a breaker or a limit"}
	case "in_flight":
		return Mark{"forward", "in flight", Going, "its command is out"}
	case "backing_off":
		return Mark{"clock", "backing off", Wait, "it failed and will be tried again"}
	case "succeeded":
		return Mark{"check", "done", Good, "the participant said that it succeeded"}
	case "rejected":
		return Mark{"cross", "refused", Bad, "the participant said no; it had no effect"}
	case "unknown":
		return Mark{"question", "unknown", Wait, "it may have taken effect, so it is undone too"}
	case "skipped":
		return Mark{"skip", "skipped", Idle, "its condition was false, or an operator skipped it"}
	case "stuck":
		return Mark{"alarm", "stuck", Bad, "it needs a person"}
	case "undoing":
		return Mark{"back", "undoing", Back, "its compensation is out"}
	case "undo_backing_off":
		return Mark{"clock", "undo backing off", Back, "its compensation failed and will be tried again"}
	case "undone":
		return Mark{"undone", "undone", Back, "its effect has been undone"}
	case "undo_failed":
		return Mark{"alarm", "undo failed", Bad, "its compensation was refused; it needs a person"}
	case "waived":
		return Mark{"stop", "waived", Idle, "an operator accepted that its effect stays"}
	}
	return Mark{"dot", status, Idle, ""}
}

// EffectMark is the mark of what is certain about a step's effect.
func EffectMark(effect string) Mark {
	switch effect {
	case "none":
		return Mark{"dot", "none", Idle, "it had no effect"}
	case "possible":
		return Mark{"question", "possible", Wait, "it may have taken effect"}
	case "certain":
		return Mark{"check", "certain", Good, "it took effect"}
	case "undone":
		return Mark{"undone", "undone", Back, "it took effect, and was undone"}
	case "undo_failed":
		return Mark{"alarm", "undo failed", Bad, "it took effect, and could not be undone"}
	case "waived":
		return Mark{"stop", "waived", Idle, "its effect stays; an operator accepted that"}
	}
	return Mark{"dot", effect, Idle, ""}
}

// VerdictMark is the mark of a certificate's verdict.
func VerdictMark(verdict string) Mark {
	switch verdict {
	case "committed":
		return Mark{"check", "committed", Good, "every step took effect"}
	case "cleanly_aborted":
		return Mark{"undone", "cleanly undone", Back, "nothing is left of it"}
	case "residue":
		return Mark{"alarm", "residue", Bad, "something was left behind"}
	}
	return Mark{"dot", verdict, Idle, ""}
}

// CauseMark is the mark of what a saga waits for.
func CauseMark(cause string) Mark {
	switch cause {
	case "reply":
		return Mark{"forward", "a reply", Going, "a participant's answer"}
	case "backoff":
		return Mark{"clock", "a back-off", Wait, "the time of the next attempt"}
	case "hold":
		return Mark{"pause", "a hold", Wait, "the end of a hold, a pause or a breaker"}
	case "attention":
		return Mark{"alarm", "a person", Bad, "somebody has to decide"}
	case "unpublished":
		return Mark{"queue", "Kafka", Wait, "its command has not reached Kafka yet"}
	}
	return Mark{"dot", cause, Idle, ""}
}

// AttentionMark is the mark of why a person should look at a saga.
func AttentionMark(reason string) Mark {
	words := map[string][2]string{
		"exhausted":      {"keeps failing", "its attempts are used up; it is still tried, more slowly"},
		"slow":           {"slow", "its participant has been at it for ten times as long as it should take"},
		"deadline":       {"deadline passed", "nothing is undone for it where the saga stands"},
		"bad_output":     {"bad output", "it took effect, and its output is not what the definition promises"},
		"expression":     {"expression failed", "an expression of the definition failed on this saga's data"},
		"rejected":       {"refused", "a step that may not be refused was refused"},
		"unpublishable":  {"cannot be sent", "Kafka refused its command for good"},
		"undo_failed":    {"undo refused", "its compensation was refused or could not be formed"},
		"late_effect":    {"late effect", "it took effect after it had been given up"},
		"reply.conflict": {"contradiction", "a participant contradicted itself or an operator"},
		"barrier":        {"barrier broken", "a participant undid nothing where there was an effect"},
		"held":           {"held for long", "a hold is older than 15 minutes"},
		"history":        {"long history", "more than 10,000 facts"},
		"invariant":      {"broken invariant", "only abandon is left"},
	}
	if w, ok := words[reason]; ok {
		return Mark{"alarm", w[0], Bad, w[1]}
	}
	return Mark{"alarm", reason, Bad, ""}
}
