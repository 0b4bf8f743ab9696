package conformance

// Verdict is how a check ended.
type Verdict string

const (
	Pass    Verdict = "pass"    // what was seen is what the protocol says
	Fail    Verdict = "fail"    // it is not
	Untried Verdict = "untried" // it could not be tried; Finding.Saw says why, and what to give
)

// Finding is what came of one check.
type Finding struct {
	Check   string  `json:"check"`
	Section string  `json:"section"` // the heading of docs/protocol.md that says it
	Says    string  `json:"says"`    // what the protocol says
	Saw     string  `json:"saw"`     // what was seen, or why it was not tried
	Verdict Verdict `json:"verdict"`
}

// Report is what came of a run: one Finding for each check, always all of them, in the order of Checks.
type Report struct {
	Participant string    `json:"participant"`
	Findings    []Finding `json:"findings"`
}

// Count is how many checks ended so.
func (r *Report) Count(v Verdict) int {
	n := 0
	for _, f := range r.Findings {
		if f.Verdict == v {
			n++
		}
	}
	return n
}

// Failed are the names of the checks that failed, in order.
func (r *Report) Failed() []string {
	var names []string
	for _, f := range r.Findings {
		if f.Verdict == Fail {
			names = append(names, f.Check)
		}
	}
	return names
}

// Check is a check without its outcome.
type Check struct {
	Name    string `json:"check"`
	Section string `json:"section"` // the heading of docs/protocol.md that says it
	Says    string `json:"says"`    // what the protocol says
}

// Checks are all that a run goes through, in order.
func Checks() []Check {
	var all []Check
	for _, c := range scenarios() {
		all = append(all, c.Check)
	}
	for _, r := range rules() {
		all = append(all, r.Check)
	}
	return all
}
