package explore

// Worlds are the worlds that are explored.
func Worlds() []World {
	usual := Budget{Crash: 1, Timeout: 1, Duplicate: 2, Operator: 1}
	return []World{
		{
			Name: "chain", About: "two steps and a pivot",
			Steps: []string{"a", "b", "p pivot"}, Budget: usual,
		},
	}
}
