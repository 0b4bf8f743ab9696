package sim

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// Count is how often something happened, of how often it could have.
type Count struct{ Hits, Of int }

// Summary adds up the reports of many worlds.
type Summary struct {
	Seeds, PortCalls, Commits, Kills int
	Virtual                          time.Duration
	Faults                           map[Fault]Count
	Ports                            map[string]Count // kills, of the calls; of a named point there are no calls
	Outcomes                         map[string]int
	Drains                           map[string]int
	Operations                       map[string]int // by action and how they ended
}

// Add adds a world.
func (s *Summary) Add(r Report) {
	if s.Faults == nil {
		s.Faults, s.Ports, s.Outcomes, s.Drains, s.Operations = map[Fault]Count{}, map[string]Count{}, map[string]int{}, map[string]int{}, map[string]int{}
	}
	s.Seeds++
	s.PortCalls += r.PortCalls
	s.Commits += r.Commits
	s.Kills += r.Kills
	s.Virtual += r.Virtual
	for k, c := range r.Faults {
		s.Faults[k] = Count{s.Faults[k].Hits + c.Hits, s.Faults[k].Of + c.Of}
	}
	for k, n := range r.Points {
		s.Ports[k] = Count{s.Ports[k].Hits + n, s.Ports[k].Of}
	}
	for k, n := range r.Ports {
		s.Ports[k] = Count{s.Ports[k].Hits, s.Ports[k].Of + n}
	}
	for k, n := range r.Outcomes {
		s.Outcomes[k] += n
	}
	for k, n := range r.Drains {
		s.Drains[k] += n
	}
	for k, n := range r.Operations {
		s.Operations[k] += n
	}
}

// enough is how many seeds it takes for each kind of fault to have to happen.
const enough = 1000

// mustKill reports whether a port has had so many calls that a kill there must have happened: one in half the seeds, and 12 of them
// on average.
func mustKill(port string, calls int) bool {
	for _, k := range kinds {
		if k.fault == killAt(port) {
			return float64(calls)*k.chance/2 >= 12
		}
	}
	return false
}

// Missing names what should have happened in so many seeds and did not: then the simulation proves less than it says. In a short
// run nothing is missing.
func (s *Summary) Missing() []string {
	if s.Seeds < enough {
		return nil
	}
	var out []string
	for _, k := range kinds {
		if s.Faults[k.fault].Hits == 0 {
			out = append(out, "fault "+string(k.fault))
		}
	}
	for port, c := range s.Ports {
		if c.Hits == 0 && mustKill(port, c.Of) {
			out = append(out, "kill at "+port)
		}
	}
	for _, status := range saga.Statuses() {
		if (status.Terminal() || status == saga.Suspended) && s.Outcomes[string(status)] == 0 {
			out = append(out, "saga "+string(status))
		}
	}
	for _, end := range []string{"complete", "cut off"} {
		if s.Drains[end] == 0 {
			out = append(out, "drain "+end)
		}
	}
	for _, action := range []saga.Action{saga.ActionRetry, saga.ActionCancel, saga.ActionPause, saga.ActionResume, saga.ActionRebind} {
		if s.Operations[string(action)+" completed"] == 0 {
			out = append(out, "operation "+string(action)+" completed")
		}
	}
	slices.Sort(out)
	return out
}

// Print writes the summary for people: what happened by kind, and what ran in the last line.
func (s *Summary) Print(out io.Writer) {
	fmt.Fprintln(out, "faults, of the opportunities for them:")
	printCounts(out, s.Faults)
	fmt.Fprintln(out, "kills by the port call that they struck, of the calls:")
	printCounts(out, s.Ports)
	fmt.Fprintln(out, "sagas by how they ended, drains and operations over many sagas by how they did:")
	for _, k := range slices.Sorted(maps.Keys(s.Outcomes)) {
		fmt.Fprintf(out, "  %9d  %s\n", s.Outcomes[k], k)
	}
	for _, k := range slices.Sorted(maps.Keys(s.Drains)) {
		fmt.Fprintf(out, "  %9d  drain %s\n", s.Drains[k], k)
	}
	for _, k := range slices.Sorted(maps.Keys(s.Operations)) {
		fmt.Fprintf(out, "  %9d  operation %s\n", s.Operations[k], k)
	}
	for _, missing := range s.Missing() {
		fmt.Fprintf(out, "never happened: %s\n", missing)
	}
	sagas, faults := 0, 0
	for _, n := range s.Outcomes {
		sagas += n
	}
	for _, c := range s.Faults {
		faults += c.Hits
	}
	fmt.Fprintf(out, "%d seeds, %d sagas, %d commits, %d port calls, %d faults, %d kills, %.0f virtual hours\n",
		s.Seeds, sagas, s.Commits, s.PortCalls, faults, s.Kills, s.Virtual.Hours())
}

func printCounts[K cmp.Ordered](out io.Writer, counts map[K]Count) {
	for _, k := range slices.Sorted(maps.Keys(counts)) {
		fmt.Fprintf(out, "  %9d of %11d  %v\n", counts[k].Hits, counts[k].Of, k)
	}
}
