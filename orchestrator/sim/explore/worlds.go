package explore

// Worlds are the worlds that are explored, the largest first. In each the frontier is emptied; Small is the budget for every
// day, Budget the one for a release.
func Worlds() []World {
	usual := Budget{Crash: 1, Timeout: 1, Duplicate: 2, Operator: 1}
	chain := []string{"a", "b", "p pivot"}
	pair := []string{"a", "b after=", "p pivot after=a,b"}
	shared := []string{"a", "b participant=other", "p pivot"}
	return []World{
		{
			Name: "pair", About: "a parallel pair joined by a pivot",
			Steps: pair, Budget: usual, Small: Budget{Crash: 1, Timeout: 1, Duplicate: 1},
		},
		{
			Name: "chain", About: "two steps and a pivot",
			Steps: chain, Budget: usual, Small: Budget{Crash: 1, Timeout: 1, Operator: 1},
		},
		{
			Name: "deadline", About: "two steps and a pivot, and a deadline that may pass at any time",
			Steps: chain, Deadline: true, Budget: Budget{Crash: 1, Timeout: 1, Duplicate: 1, Operator: 1}, Small: Budget{Crash: 1, Timeout: 1, Duplicate: 1},
		},
		{
			Name: "failing", About: "technical failures and heartbeats; the first has one attempt",
			Steps:  []string{"a max=1", "p pivot"},
			Budget: Budget{Crash: 1, Timeout: 1, Duplicate: 1, Operator: 1, Fail: 2, Beat: 1},
			Small:  Budget{Timeout: 1, Operator: 1, Fail: 2, Beat: 1},
		},
		{
			Name: "open", About: "participants keep their transactions open over other deliveries",
			Steps: []string{"a probe", "b"}, Circles: "a probe is answered unknown until the open transaction ends",
			Budget: Budget{Crash: 1, Timeout: 1, Duplicate: 1, Operator: 1, Open: 2},
			Small:  Budget{Crash: 1, Timeout: 1, Duplicate: 1, Open: 1},
		},
		{
			Name: "bare", About: "a step without an effect, a pivot without a compensation, and outputs that may break `returns`",
			Steps: []string{"a effect-none", "b returns", "p pivot returns"}, BadOutput: true, WhatIf: WhatIfSteps,
			Budget: usual, Small: Budget{Crash: 1, Timeout: 1, Duplicate: 1, Operator: 1},
		},
		{
			Name: "after", About: "a pivot and a retriable step, both with a probe",
			Steps: []string{"p pivot probe", "r retriable probe"}, WhatIf: WhatIfSteps,
			Budget: Budget{Crash: 1, Timeout: 2, Duplicate: 2, Operator: 1}, Small: Budget{Crash: 1, Timeout: 1, Duplicate: 1, Operator: 1},
		},
		{
			Name: "failing-after", About: "the same, with technical failures and heartbeats",
			Steps:  []string{"p pivot probe", "r retriable probe"},
			Budget: Budget{Crash: 1, Timeout: 1, Duplicate: 1, Operator: 1, Fail: 2, Beat: 1}, Small: Budget{Timeout: 1, Fail: 2, Beat: 1},
		},
		{
			Name: "held", About: "a hold on everything",
			Steps: shared, Budget: Budget{Crash: 1, Timeout: 1, Duplicate: 1, Operator: 1, Hold: 1}, Small: Budget{Timeout: 1, Hold: 1, Duplicate: 1},
		},
		{
			Name: "held-participant", About: "a hold on the participant of one step",
			Steps: shared, HoldOf: "other",
			Budget: Budget{Crash: 1, Timeout: 1, Duplicate: 1, Operator: 1, Hold: 1}, Small: Budget{Timeout: 1, Hold: 1, Operator: 1},
		},
		{
			Name: "refused", About: "the broker refuses a command for good",
			Steps:  []string{"a", "p pivot", "r retriable"},
			Budget: Budget{Crash: 1, Timeout: 1, Duplicate: 1, Operator: 1, Refuse: 1}, Small: Budget{Timeout: 1, Operator: 1, Refuse: 1},
		},
		{
			Name: "claims-asked", About: "effects outside the participants' databases, whose provider can be asked",
			Steps: []string{"a probe", "b"}, External: "ask",
			Budget: Budget{Crash: 2, Timeout: 1, Duplicate: 1, Operator: 1, Open: 1}, Small: Budget{Crash: 1, Timeout: 1, Operator: 1, Open: 1},
		},
		{
			Name: "claims-mute", About: "and whose provider cannot",
			Steps: []string{"a probe", "b"}, External: "mute",
			Circles: "a compensation is refused until the execute that holds the claim comes again",
			Budget:  Budget{Crash: 2, Timeout: 1, Duplicate: 1, Operator: 1, Open: 1}, Small: Budget{Crash: 1, Timeout: 1, Operator: 1, Open: 1},
		},
		{
			Name: "claims-after", About: "the same after the pivot, with provider's calls that last",
			Steps: []string{"p pivot", "r retriable max=3 probe"}, External: "ask",
			Budget: Budget{Crash: 1, Timeout: 2, Duplicate: 1, Operator: 1, Open: 2}, Small: Budget{Timeout: 1, Operator: 1, Open: 1},
		},
		{
			Name: "lying", About: "a participant contradicts itself",
			Steps: []string{"a", "p pivot"}, WhatIf: WhatIfSteps,
			Budget: Budget{Crash: 1, Timeout: 1, Operator: 1, Lie: 2}, Small: Budget{Timeout: 1, Operator: 1, Lie: 1},
		},
		{
			Name: "lying-pair", About: "one of a parallel pair contradicts itself",
			Steps: pair, Budget: Budget{Crash: 1, Timeout: 1, Lie: 2}, Small: Budget{Timeout: 1, Lie: 1},
		},
		{
			Name: "two-operators", About: "operators act twice",
			Steps: []string{"a max=1 probe", "p pivot"}, WhatIf: WhatIfSteps,
			Budget: Budget{Crash: 1, Timeout: 1, Duplicate: 1, Operator: 2, Fail: 1}, Small: Budget{Operator: 2, Fail: 1},
		},
		{
			Name: "two-operators-after", About: "the same after the pivot",
			Steps: []string{"p pivot", "r retriable max=3 probe returns"}, WhatIf: WhatIfSteps, BadOutput: true,
			Budget: Budget{Timeout: 1, Duplicate: 1, Operator: 2, Fail: 1}, Small: Budget{Timeout: 1, Operator: 2, Fail: 1},
		},
		{
			Name: "two-operators-pair", About: "the same beside another step",
			Steps: []string{"x probe", "y after="}, WhatIf: WhatIfSteps,
			Budget: Budget{Operator: 2, Fail: 1}, Small: Budget{Operator: 1, Fail: 1},
		},
		{
			Name: "refused-probed", About: "the broker refuses a command or a probe for good",
			Steps: []string{"x probe returns", "y after="}, WhatIf: WhatIfSteps, BadOutput: true,
			Budget: Budget{Crash: 1, Timeout: 1, Operator: 1, Refuse: 1}, Small: Budget{Operator: 1, Refuse: 1},
		},
		{
			Name: "expressions", About: "a payload that fails, and a condition that is false",
			Steps: []string{"a", "b when=false", "x after=b payload=fails", "y after="}, WhatIf: WhatIfSteps,
			Budget: Budget{Crash: 1, Timeout: 1, Duplicate: 1, Operator: 1}, Small: Budget{Timeout: 1, Operator: 1},
		},
		{
			Name: "undo-expressions", About: "a compensation's payload that fails, and a condition that does",
			Steps: []string{"a probe", "b undo=fails max=1", "c when=fails"}, WhatIf: WhatIfSteps,
			Budget: Budget{Crash: 1, Timeout: 1, Duplicate: 1, Operator: 1, Fail: 1}, Small: Budget{Timeout: 1, Operator: 1, Fail: 1},
		},
	}
}
