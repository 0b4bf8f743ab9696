package audit

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// history checks S4: dense, readable, legal, and folding to what is stored. It answers whether all facts could be read.
func (c *sagaCheck) history() bool {
	if !c.decode() {
		return false
	}
	if len(c.facts) == 0 {
		c.add(HistoryGap, "it has no history")
		return false
	}
	folded, ok := c.fold()
	if !ok {
		return true
	}
	if c.in.Version != folded.Version || c.in.Saga != folded.Saga {
		c.add(VersionChanged, "it began as %s@%d, and is %s@%d", folded.Saga, folded.Version, c.in.Saga, c.in.Version)
		return true
	}
	if saga.Equivalent(c.def, folded, c.in) != "" {
		c.add(StateDiffers, "%s", differences(folded, c.in))
	}
	return true
}

// decode reads the facts; false: one of them cannot be read or is missing.
func (c *sagaCheck) decode() bool {
	complete := true
	next := int64(1)
	for _, row := range c.row.Facts {
		if row.Seq != next {
			c.add(HistoryGap, "%s", gap(next, row.Seq))
			complete = false
		}
		next = row.Seq + 1
		f, err := saga.DecodeFact(row.Bytes)
		switch {
		case err != nil:
			c.add(FactUnreadable, "fact %d cannot be read: %v", row.Seq, err)
			complete = false
			continue
		case f.Seq != row.Seq:
			c.add(HistoryGap, "fact %d says that it is fact %d", row.Seq, f.Seq)
			complete = false
		}
		c.facts = append(c.facts, f)
	}
	if last := next - 1; complete && last < c.in.Seq {
		c.add(HistoryGap, "%s", gap(next, c.in.Seq+1))
		return false
	}
	return complete
}

// gap says which facts from want on are missing before the next is there.
func gap(want, next int64) string {
	if next == want+1 {
		return fmt.Sprintf("fact %d is missing", want)
	}
	return fmt.Sprintf("facts %d to %d are missing", want, next-1)
}

// fold replays the facts one by one and looks at what each comes to; false: one of them cannot be applied.
func (c *sagaCheck) fold() (in saga.Instance, ok bool) {
	at := 0
	defer func() {
		if p := recover(); p != nil { // a fact about what the definition does not have
			c.add(HistoryIllegal, "fact %d (%s) cannot be applied: %v", c.facts[at].Seq, c.facts[at].Type, p)
			ok = false
		}
	}()
	if c.facts[0].Type != saga.SagaStarted {
		c.add(HistoryIllegal, "fact 1 is %s: a saga begins with %s", c.facts[0].Type, saga.SagaStarted)
		return in, false
	}
	broken := false
	for at = range c.facts {
		f := c.facts[at]
		before := in
		next, err := saga.FoldOn(c.def, before, c.facts[at:at+1])
		if err != nil {
			c.add(HistoryIllegal, "fact %d (%s): %v", f.Seq, f.Type, err)
			return in, false
		}
		in = next
		c.order(before, f)
		if before.Status.Terminal() && in.Status != before.Status {
			c.add(TerminalLeft, "fact %d (%s): it was %s, and is %s after it", f.Seq, f.Type, before.Status, in.Status)
		}
		// Facts of one transaction are one step; between them an instance need not hold together.
		whole := at == len(c.facts)-1 || c.row.Facts[at].Batch != c.row.Facts[at+1].Batch
		if what := saga.Invariants(c.def, in); whole && what != "" && in.Broken == "" && !broken {
			broken = true
			c.add(InvariantBroken, "after fact %d: %s", f.Seq, what)
		}
	}
	return in, true
}

// order checks the order of starts and of compensations by the facts alone (S10, S12, S15).
func (c *sagaCheck) order(before saga.Instance, f saga.Fact) {
	i := c.def.StepIndex(f.Step)
	if i < 0 {
		return
	}
	switch f.Type { //nolint:exhaustive // of the facts, these two alone begin something
	case saga.StepStarted:
		for _, p := range c.def.Steps[i].After {
			if st := before.Steps[p].Status; st != saga.Succeeded && st != saga.Skipped {
				c.add(OrderBroken, "fact %d: %s started while %s was %s (S10)", f.Seq, f.Step, c.def.Steps[p].Name, st)
			}
		}
		if before.Aborting {
			c.add(OrderBroken, "fact %d: %s started after the abort had begun", f.Seq, f.Step)
		}
	case saga.UndoStarted:
		if !before.Aborting {
			c.add(OrderBroken, "fact %d: %s is undone without an abort (S11)", f.Seq, f.Step)
		}
		if before.Steps[i].Anomaly || before.Steps[i].Backward.Created {
			return // out of order by design rule 9, or asked again
		}
		for _, d := range c.def.Descendants(i) {
			if !before.Steps[d].Anomaly && !saga.SettledBackwards(c.def, before, d) {
				c.add(OrderBroken, "fact %d: %s is undone while %s is %s (S12)", f.Seq, f.Step, c.def.Steps[d].Name, before.Steps[d].Status)
			}
		}
	}
}

// differences names what differs between two instances, the first three.
func differences(folded, in saga.Instance) string {
	var out []string
	walk(plain(folded), plain(in), "", func(path string, a, b any) {
		last := path[strings.LastIndexByte(path, '.')+1:]
		if last != "revision" && last != "clock_at" && last != "heartbeat" {
			out = append(out, fmt.Sprintf("%s is %s, and its history says %s", path, short(b), short(a)))
		}
	})
	if len(out) == 0 {
		return "its history does not fold to it"
	}
	more := ""
	if len(out) > 3 {
		more = fmt.Sprintf("; and %d more", len(out)-3)
	}
	return strings.Join(out[:min(3, len(out))], "; ") + more
}

// plain is an instance as JSON values.
func plain(in saga.Instance) (v any) {
	b, err := json.Marshal(in)
	if err != nil { // a payload that is no JSON
		b = fmt.Appendf(nil, "%q", fmt.Sprintf("%+v", in))
	}
	if json.Unmarshal(b, &v) != nil {
		return string(b)
	}
	return v
}

func walk(a, b any, path string, differs func(path string, a, b any)) {
	x, ok := a.(map[string]any)
	y, both := b.(map[string]any)
	if ok && both {
		keys := map[string]bool{}
		for k := range x {
			keys[k] = true
		}
		for k := range y {
			keys[k] = true
		}
		for _, k := range slices.Sorted(maps.Keys(keys)) {
			walk(x[k], y[k], strings.TrimPrefix(path+"."+k, "."), differs)
		}
		return
	}
	s, ok := a.([]any)
	t, both := b.([]any)
	if ok && both && len(s) == len(t) {
		for i := range s {
			walk(s[i], t[i], fmt.Sprintf("%s[%d]", path, i), differs)
		}
		return
	}
	if !reflect.DeepEqual(a, b) {
		differs(path, a, b)
	}
}

func short(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	const most = 60
	if len(b) > most {
		return string(b[:most]) + "..."
	}
	return string(b)
}
