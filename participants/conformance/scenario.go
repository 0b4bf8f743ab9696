package conformance

// scenario is a check that is played in a saga of its own.
type scenario struct {
	Check
	needs []need
	play  func(*scene)
}

// need is what a scenario cannot do without.
type need func(*session) string

// missing says why the scenario cannot be tried, and what to give; "": it can.
func (c *scenario) missing(s *session) string {
	for _, need := range c.needs {
		if why := need(s); why != "" {
			return why
		}
	}
	return ""
}

func needsRefused(s *session) string {
	if s.Plan.Refused == nil {
		return "which payload is refused is not known: give `refused` in a plan (--plan)"
	}
	return ""
}

func needsFlaky(s *session) string {
	if s.Plan.Flaky == nil {
		return "which payload fails at first is not known: give `flaky` in a plan (--plan)"
	}
	return ""
}

func needsUndo(s *session) string {
	if s.Plan.Undo == "" {
		return "no compensation is known: give `compensation` in a plan (--plan)"
	}
	return ""
}

func needsCrasher(s *session) string {
	if s.Crasher == nil {
		return "the kit did not start the participant: give the command that does (--start)"
	}
	return ""
}

// first is the check without which none can be tried.
const first = "execute"

const (
	sectionComes      = "What comes, and what to do"
	sectionExecute    = "execute"
	sectionCompensate = "compensate"
	sectionProbe      = "probe"
	sectionBarrier    = "The barrier"
)

// scenarios are all of them, in the order in which they are played. The crash comes last: it ends the process.
func scenarios() []scenario {
	undo, refused := []need{needsUndo}, []need{needsRefused}
	all := []scenario{
		{Check{first, sectionComes, "a command for the first time takes the effect and is answered"}, nil, playExecute},
		{Check{"refusal", "Outcomes and codes", "a business no is rejected"}, refused, playRefusal},

		{Check{"duplicate", sectionComes, "a duplicate is answered like the first"}, nil, playDuplicate},
		{Check{"duplicate-attempt", sectionComes, "the next attempt of an answered command is answered like the first"}, nil, playNextAttempt},
		{Check{"duplicate-refused", sectionComes, "a duplicate of a rejected command is answered like the first"}, refused, playDuplicateRefused},
		{Check{"duplicate-failed", sectionComes, "a duplicate of a command that was answered failed is handled as new"}, []need{needsFlaky}, playDuplicateFailed},
		{Check{"duplicates-at-once", sectionBarrier, "every order and number of deliveries is harmless: all are answered alike"}, nil, playDuplicatesAtOnce},
		{Check{"attempts-reordered", sectionComes, "attempt 2 before attempt 1: both are answered alike"}, nil, playAttemptsReordered},

		{Check{"compensation", sectionCompensate, "an execute that succeeded is undone: succeeded"}, undo, playCompensation},
		{Check{"compensation-duplicate", sectionCompensate, "same id, answered: the stored answer again"}, undo, playCompensationDuplicate},
		{Check{"execution-late", sectionExecute, "after its compensation, an answered execute gets the stored answer again"}, undo, playExecutionLate},
		{Check{"compensation-first", sectionComes, "before its execution: succeeded, nothing_to_undo"}, undo, playCompensationFirst},
		{Check{"compensation-first-duplicate", sectionCompensate, "a duplicate of it is answered like the first"}, undo, playCompensationFirstDuplicate},
		{Check{"execution-after-compensation", sectionComes, "an execution after its compensation: rejected, already_compensated"}, undo, playExecutionAfter},
		{Check{"compensation-of-refused", sectionCompensate, "the execute was rejected: succeeded, nothing_to_undo"}, []need{needsUndo, needsRefused}, playCompensationOfRefused},
		{Check{"commands-at-once", "Checklist", "commands of one saga are handled one after the other: their answers agree"}, undo, playCommandsAtOnce},

		{Check{"edition-over-refusal", sectionExecute, "a higher edition of what was rejected is handled as new"}, refused, playEditionOverRefusal},
		{Check{"edition-over-success", sectionExecute, "a higher edition of what succeeded gets the stored answer"}, nil, playEditionOverSuccess},
		{Check{"edition-lower", sectionExecute, "a lower edition than is known: rejected, superseded"}, nil, playEditionLower},
		{Check{"compensation-edition", sectionCompensate, "a higher edition of a compensation that succeeded gets the stored answer"}, undo, playCompensationEdition},
		{Check{"compensation-edition-lower", sectionCompensate, "a lower edition than is known: rejected, superseded"}, undo, playCompensationEditionLower},
	}
	all = append(all, probes()...)
	all = append(all, oddities()...)
	all = append(all, malformed()...)
	return append(all, scenario{
		Check{"crash", "Checklist", "a crash between commit and reply: the command comes again, and gets the stored answer"}, []need{needsCrasher}, playCrash,
	})
}
