package explore

// Worlds are the worlds that are explored.
func Worlds() []World {
	usual := Budget{Crash: 1, Timeout: 1, Duplicate: 2, Operator: 1}
	chain := []string{"a", "b", "p pivot"}
	pair := []string{"a", "b after=", "p pivot after=a,b"}
	after := []string{"p pivot probe", "r retriable probe"}
	bare := []string{"a effect-none", "b returns", "p pivot returns undo=none"}
	return []World{
		{Name: "chain", About: "two steps and a pivot", Steps: chain, Budget: usual},
		{Name: "pair", About: "a parallel pair joined by a pivot", Steps: pair, Budget: usual},
		{Name: "after", About: "a pivot and a retriable step, both with a probe", Steps: after, Budget: usual},
		{Name: "bare", About: "a step without an effect, and outputs that may break `returns`", Steps: bare, BadOutput: true, Budget: usual},
		{Name: "deadline", Steps: chain, Deadline: true, Budget: Budget{Crash: 1, Timeout: 1, Duplicate: 1, Operator: 1}},
		{Name: "held", Steps: []string{"a", "b participant=other", "p pivot"}, Budget: Budget{Timeout: 1, Duplicate: 1, Operator: 1, Hold: 1}},
		{Name: "held-participant", Steps: []string{"a", "b participant=other", "p pivot"}, HoldOf: "other", Budget: Budget{Timeout: 1, Duplicate: 1, Operator: 1, Hold: 1}},
		{Name: "failing", Steps: []string{"a max=1", "p pivot"}, Budget: Budget{Crash: 1, Timeout: 1, Duplicate: 1, Operator: 1, Fail: 2, Beat: 1}},
		{Name: "failing-after", Steps: after, Budget: Budget{Crash: 1, Timeout: 1, Operator: 1, Fail: 2, Beat: 1}},
		{Name: "open", Steps: []string{"a probe", "b"}, Circles: "a probe is answered unknown until the open transaction ends", Budget: Budget{Crash: 1, Timeout: 1, Duplicate: 1, Operator: 1, Open: 2}},
		{Name: "refused", Steps: []string{"a", "p pivot", "r retriable"}, Budget: Budget{Crash: 1, Timeout: 1, Operator: 1, Refuse: 1}},
		{Name: "lying", Steps: []string{"a", "p pivot"}, Budget: Budget{Timeout: 1, Operator: 1, Lie: 2}},
		{Name: "lying-pair", Steps: pair, Budget: Budget{Timeout: 1, Lie: 1}},
		{Name: "claims-ask", Steps: []string{"a probe", "b"}, External: "ask", Budget: Budget{Crash: 2, Timeout: 1, Duplicate: 1, Operator: 1}},
		{Name: "claims-mute", Steps: []string{"a probe", "b"}, External: "mute", Circles: "a compensation is refused until the execute that holds the claim comes again", Budget: Budget{Crash: 2, Timeout: 1, Duplicate: 1, Operator: 1}},
		{Name: "two-operators", Steps: []string{"a max=1", "p pivot"}, Budget: Budget{Timeout: 1, Operator: 2, Duplicate: 1}},
	}
}
