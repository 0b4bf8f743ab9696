package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// grid is a table whose first row is the head.
type grid [][]string

// only is its head and the rows of those measures.
func (g grid) only(keys ...string) grid {
	out := g[:1:1]
	for _, row := range g[1:] {
		if slices.ContainsFunc(keys, func(key string) bool { return measureOf(key).title == row[0] }) {
			out = append(out, row)
		}
	}
	return out
}

// print writes it in columns: the first to the left, numbers to the right.
func (g grid) print(w io.Writer) {
	widths := make([]int, len(g[0]))
	for _, row := range g {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range g {
		var line strings.Builder
		for i, cell := range row {
			space := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if i == 0 {
				line.WriteString(cell + space)
			} else {
				line.WriteString("   " + space + cell)
			}
		}
		fmt.Fprintln(w, "  "+strings.TrimRight(line.String(), " "))
	}
}

// markdown writes it as a table of a page, numbers to the right.
func (g grid) markdown(w io.Writer) { g.page(w, "|---:") }

// text writes it as a table of a page, without numbers.
func (g grid) text(w io.Writer) { g.page(w, "|---") }

func (g grid) page(w io.Writer, column string) {
	for i, row := range g {
		fmt.Fprintln(w, "| "+strings.Join(row, " | ")+" |")
		if i == 0 {
			fmt.Fprintln(w, "|---"+strings.Repeat(column, len(row)-1)+"|")
		}
	}
}

// withSpread is a figure as its median and, of more than one round, the lowest and the highest.
func (m *measure) withSpread(f Figure) string {
	if len(f.Rounds) < 2 {
		return m.text(f.Median)
	}
	return fmt.Sprintf("%s (%s to %s)", m.text(f.Median), m.text(f.Min), m.text(f.Max))
}

func ratioText(f Figure, ok bool) string {
	if !ok {
		return ""
	}
	m := measure{digits: 2, factor: 1}
	return m.withSpread(f)
}

// summary is one row for each load: the two sides and their ratio.
func summary(pairs []Pair, head string, at func(Pair) int, key string) grid {
	m := measureOf(key)
	g := grid{{head, "floor", "engine", "engine / floor"}}
	for _, p := range pairs {
		ratio, ok := p.Ratios[key]
		g = append(g, []string{number(float64(at(p)), 0), cell(&m, p.Floor), cell(&m, p.Engine), ratioText(ratio, ok)})
	}
	return g
}

func cell(m *measure, s Side) string {
	f, ok := s[m.key]
	if !ok {
		return "-"
	}
	return m.withSpread(f)
}

func measureOf(key string) measure {
	for _, m := range measures() {
		if m.key == key {
			return m
		}
	}
	return measure{key: key, title: key, factor: 1, digits: 2}
}

// details is one row for each measure that either side has.
func details(left, right Side, ratios Side, leftName, rightName string) grid {
	g := grid{{"", leftName, rightName, rightName + " / " + leftName}}
	for _, m := range measures() {
		_, hasLeft := left[m.key]
		_, hasRight := right[m.key]
		if !hasLeft && !hasRight {
			continue
		}
		ratio, ok := ratios[m.key]
		g = append(g, []string{m.title, cell(&m, left), cell(&m, right), ratioText(ratio, ok)})
	}
	return g
}

func goalGrid(goals []Goal) grid {
	g := grid{{"goal", "wanted", "measured", ""}}
	for _, goal := range goals {
		met := "met"
		if !goal.Met {
			met = "missed"
		}
		g = append(g, []string{goal.What, goal.Goal, number(goal.Figure, goal.digits), met})
	}
	return g
}

func inFlightOf(p Pair) int { return p.InFlight }
func rateOf(p Pair) int     { return p.Rate }

// print writes what matters most for whoever waits at the terminal; the page and the JSON have everything.
func (r *Result) print(w io.Writer) {
	fmt.Fprintf(w, "\nmedians of %s (lowest to highest), on %d cores that hold everything\n", r.roundsText(), r.Machine.CPUs)
	for _, key := range []string{perSecond, completedP50, completedP99, acceptedP99, cpuAll, walBytes, records} {
		printSummary(w, "closed loop: ", r.Closed, "in flight", inFlightOf, key)
	}
	if len(r.Closed) > 0 && r.Closed[0].InFlight == 1 {
		alone := r.Closed[0]
		m := measureOf(waitedP50)
		fmt.Fprintf(w, "\none saga alone, its start waiting for the end: p50 %s ms, %s times the floor's\n", cell(&m, alone.Engine), ratioText(alone.Ratios[waitedP50], true))
	}
	for _, key := range []string{completedP50, completedP99, acceptedP99} {
		printSummary(w, "open loop: ", r.Open, "starts/s", rateOf, key)
	}
	if c := r.Compensating; c != nil {
		m := measureOf(commands)
		fmt.Fprintf(w, "\n%v %% of the sagas undone, %d in flight: %s %s, %s on the happy path, ratio %s\n", c.Share*100, c.InFlight,
			cell(&m, c.Undone), m.title, cell(&m, c.Happy), ratioText(c.Ratios[commands], true))
	}
	r.printBeyond(w)
	if len(r.Goals) > 0 {
		fmt.Fprintln(w)
		goalGrid(r.Goals).print(w)
	}
	if others := r.others(); others > othersLimit {
		fmt.Fprintf(w, "\nDo not quote these: %s. Up to %.0f %% of the machine went to other programs in a round of them.\n", r.disturbed(), others*100)
	}
	if !r.Complete {
		fmt.Fprintln(w, "\nThe run was interrupted: these are the rounds until then.")
	}
}

// printSummary prints a summary where either side has the measure.
func printSummary(w io.Writer, what string, pairs []Pair, head string, at func(Pair) int, key string) {
	measured := false
	for _, p := range pairs {
		_, floor := p.Floor[key]
		_, engine := p.Engine[key]
		measured = measured || floor || engine
	}
	if !measured {
		return
	}
	fmt.Fprintf(w, "\n%s%s\n", what, measureOf(key).title)
	summary(pairs, head, at, key).print(w)
}
