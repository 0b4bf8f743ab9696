package saga

import (
	"fmt"
	"regexp"
	"slices"
	"time"
)

// Problem is one thing wrong with a definition, at a path such as `steps[2].timeout`.
type Problem struct {
	Path    string
	Message string
}

func (p Problem) String() string { return p.Path + ": " + p.Message }

// Link checks the graph and the rules of kinds (design section 4), and works out the pivot and the descendants. It reports
// all problems at once; none means that d is ready for Decide. It is called once, before d is shared.
func (d *Definition) Link() []Problem {
	l := linker{d: d}
	l.names()
	l.limits()
	l.pivot()
	if l.acyclic() {
		d.descendants = l.descendants()
		l.kinds()
	}
	return l.problems
}

type linker struct {
	d        *Definition
	problems []Problem
}

func (l *linker) add(path, format string, args ...any) {
	l.problems = append(l.problems, Problem{path, fmt.Sprintf(format, args...)})
}

func stepPath(i int, field string) string {
	if field == "" {
		return fmt.Sprintf("steps[%d]", i)
	}
	return fmt.Sprintf("steps[%d].%s", i, field)
}

func (l *linker) names() {
	name := regexp.MustCompile(`^[a-z][a-z0-9-]{0,62}$`)
	command := regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]*\.v[1-9][0-9]*$`)
	const wantName = "want lower-case letters, digits and dashes, a letter first, at most 63 characters"
	const wantCommand = "want a name and a version, such as ReserveItems.v1"
	if !name.MatchString(l.d.Name) {
		l.add("saga", "%q is no name: %s", l.d.Name, wantName)
	}
	if l.d.Version < 1 {
		l.add("version", "%d is no version: want 1 or more", l.d.Version)
	}
	seen := map[string]int{}
	for i, s := range l.d.Steps {
		if !name.MatchString(s.Name) {
			l.add(stepPath(i, "name"), "%q is no name: %s", s.Name, wantName)
		} else if first, ok := seen[s.Name]; ok {
			l.add(stepPath(i, "name"), "%q is already the name of steps[%d]", s.Name, first)
		} else {
			seen[s.Name] = i
		}
		if !name.MatchString(s.Participant) {
			l.add(stepPath(i, "participant"), "%q is no name: %s", s.Participant, wantName)
		} else if s.Participant == "skald" {
			l.add(stepPath(i, "participant"), "skald is reserved for the engine itself")
		}
		if !command.MatchString(s.Command) {
			l.add(stepPath(i, "command"), "%q is no command: %s", s.Command, wantCommand)
		}
		if s.Probe != "" && !command.MatchString(s.Probe) {
			l.add(stepPath(i, "probe"), "%q is no command: %s", s.Probe, wantCommand)
		}
		if c := s.Compensation; c != nil && !command.MatchString(c.Command) {
			l.add(stepPath(i, "compensation.command"), "%q is no command: %s", c.Command, wantCommand)
		}
	}
}

func (l *linker) limits() {
	if len(l.d.Steps) == 0 {
		l.add("steps", "a saga has at least one step")
	}
	if len(l.d.Steps) > MaxSteps {
		l.add("steps", "%d steps: at most %d are allowed", len(l.d.Steps), MaxSteps)
	}
	if l.d.Deadline < 0 {
		l.add("deadline", "%s is below zero", l.d.Deadline)
	}
	for i, s := range l.d.Steps {
		l.timing(stepPath(i, "timeout"), stepPath(i, "retry"), s.Timeout, s.Retry)
		if c := s.Compensation; c != nil {
			l.timing(stepPath(i, "compensation.timeout"), stepPath(i, "compensation.retry"), c.Timeout, c.Retry)
		}
	}
}

func (l *linker) timing(timeoutPath, retryPath string, timeout time.Duration, r Retry) {
	if timeout <= 0 || timeout > MaxTimeout {
		l.add(timeoutPath, "%s: want more than 0s and at most 720h (30 days)", timeout)
	}
	if r.MaxAttempts < 1 {
		l.add(retryPath+".max_attempts", "%d: want 1 or more", r.MaxAttempts)
	}
	if r.Initial <= 0 {
		l.add(retryPath+".initial", "%s: want more than 0s", r.Initial)
	}
	if !(r.Multiplier >= 1) || r.Multiplier > 100 {
		l.add(retryPath+".multiplier", "%v: want 1 to 100", r.Multiplier)
	}
	if r.Max < r.Initial || r.Max > MaxTimeout {
		l.add(retryPath+".max", "%s: want at least initial (%s) and at most 720h (30 days)", r.Max, r.Initial)
	}
	if !(r.Jitter >= 0) || r.Jitter > 1 {
		l.add(retryPath+".jitter", "%v: want 0 to 1", r.Jitter)
	}
}

func (l *linker) pivot() {
	l.d.pivot = -1
	for i, s := range l.d.Steps {
		if s.Kind != Pivot {
			continue
		}
		if l.d.pivot >= 0 {
			l.add(stepPath(i, "kind"), "a second pivot: steps[%d] (%s) is one already", l.d.pivot, l.d.Steps[l.d.pivot].Name)
			continue
		}
		l.d.pivot = i
	}
}

// acyclic reports whether the graph can be walked: every predecessor exists and no step waits for itself.
func (l *linker) acyclic() bool {
	const unseen, open, closed = 0, 1, 2
	mark := make([]int, len(l.d.Steps))
	good := true
	var visit func(i int)
	visit = func(i int) {
		mark[i] = open
		for _, p := range l.d.Steps[i].After {
			switch {
			case p < 0 || p >= len(l.d.Steps):
				l.add(stepPath(i, "after"), "there is no step %d", p)
				good = false
			case mark[p] == open:
				l.add(stepPath(i, "after"), "a circle: %s waits, directly or not, for itself through %s", l.d.Steps[i].Name, l.d.Steps[p].Name)
				good = false
			case mark[p] == unseen:
				visit(p)
			}
		}
		mark[i] = closed
	}
	for i := range l.d.Steps {
		if mark[i] == unseen {
			visit(i)
		}
	}
	return good
}

func (l *linker) descendants() [][]int {
	n := len(l.d.Steps)
	reach := make([]map[int]bool, n)
	var visit func(i int) map[int]bool
	visit = func(i int) map[int]bool { // all ancestors of i
		if reach[i] != nil {
			return reach[i]
		}
		reach[i] = map[int]bool{}
		for _, p := range l.d.Steps[i].After {
			reach[i][p] = true
			for a := range visit(p) {
				reach[i][a] = true
			}
		}
		return reach[i]
	}
	down := make([][]int, n)
	for i := range n {
		for a := range visit(i) {
			down[a] = append(down[a], i)
		}
	}
	for i := range down {
		slices.Sort(down[i])
	}
	return down
}

// kinds checks what design section 4 says of kinds.
func (l *linker) kinds() {
	pivot := l.d.pivot
	for i, s := range l.d.Steps {
		after := pivot >= 0 && slices.Contains(l.d.descendants[pivot], i)
		before := pivot >= 0 && slices.Contains(l.d.descendants[i], pivot)
		if pivot >= 0 && i != pivot && !after && !before {
			l.add(stepPath(i, ""), "%s runs beside the pivot %s: every other step comes before or after it", s.Name, l.d.Steps[pivot].Name)
			continue
		}
		switch s.Kind {
		case Pivot:
		case Retriable:
			if !after {
				l.add(stepPath(i, "kind"), "%s is retriable but not after a pivot: only steps after the point of no return are", s.Name)
			}
			if s.Compensation != nil {
				l.add(stepPath(i, "compensation"), "%s comes after the point of no return: nothing there is ever undone", s.Name)
			}
		case Compensatable:
			if after {
				l.add(stepPath(i, "kind"), "%s comes after the pivot and must be retriable", s.Name)
			} else if s.Compensation == nil && !s.EffectNone {
				l.add(stepPath(i, "compensation"), "%s can be undone by nothing: give it a compensation, or say `effect: none` if it changes nothing", s.Name)
			}
		default:
			l.add(stepPath(i, "kind"), "%q is no kind: want compensatable, pivot or retriable", s.Kind)
		}
	}
}
