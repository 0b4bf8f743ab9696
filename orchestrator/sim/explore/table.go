package explore

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// Table is the part of the transition table that was walked through. A row is: the status and effect of a step, an event, and
// what the two are then, or the code of the refusal. The event is about that step; a look at what is due (`wake`) and actions
// on the saga as a whole are rows of each of its steps.
type Table struct{ rows map[string]int }

func newTable() *Table { return &Table{rows: map[string]int{}} }

// Rows lists the rows, sorted.
func (t *Table) Rows() []string { return slices.Sorted(maps.Keys(t.rows)) }

// Has reports whether the row was walked through.
func (t *Table) Has(row string) bool { return t.rows[row] > 0 }

// Merge adds what another exploration walked through.
func (t *Table) Merge(o *Table) {
	for row, n := range o.rows {
		t.rows[row] += n
	}
}

func (t *Table) note(x *explorer, h happening, v *verdict, in *saga.Instance, d *saga.Decision) {
	event := x.column(h)
	for i := range in.Steps {
		if (h.kind != woken && h.step != noStep) && int(h.step) != i {
			continue
		}
		s := &in.Steps[i]
		is := fmt.Sprintf("%s %s", s.Status, s.Effect)
		then := v.refused
		if then == "" {
			n := &d.Next.Steps[i]
			then = fmt.Sprintf("%s %s", n.Status, n.Effect)
			if v.ignored {
				then += " (ignored)"
			}
		}
		t.rows[Row(is, event, then)]++
	}
}

// Row is how a row is written.
func Row(is, event, then string) string { return is + " | " + event + " | " + then }

// column names an event as the table of package saga does.
func (x *explorer) column(h happening) string {
	switch h.kind {
	case replied:
		text := fmt.Sprintf("reply %s %s", verbOf(h.verb), x.codec.outcomes[h.outcome])
		switch code := x.codec.codes.texts[h.code]; {
		case x.codec.outcomes[h.outcome] == saga.ReplyRejected && code == saga.CodeNotFound, code == saga.CodeNothingToUndo:
			text += " code=" + code
		case x.codec.outcomes[h.outcome] == saga.ReplyRejected:
			text += " code=no"
		case x.codec.outcomes[h.outcome] == saga.ReplyFailed:
			text += " code=broke"
		}
		if x.codec.values.texts[h.value] == badOutput {
			text += " output=[]"
		}
		return text
	case woken:
		return "wake"
	case publishRefused:
		text := "publish-refused " + string(verbOf(h.verb))
		if h.value == 1 {
			text += " maybe-sent"
		}
		return text
	}
	action := actionOf(h.verb)
	if action == saga.ActionRebind {
		return "act rebind version=2"
	}
	text := "act " + string(action)
	switch h.value {
	case withPayload:
		text += " payload={}"
	case withOutput:
		text += " output=" + goodOutput
	}
	return text
}

// whatIfs asks Decide about every event of the table for every step of an instance, whether it can come by then or not. What
// must always hold is checked; nothing follows from the answers. With WhatIfSteps that is done once for each way that a step can
// be in a saga of that status.
func (x *explorer) whatIfs(n uint32) {
	in := x.instances[n]
	whole := x.codec.decode([]byte(in.written))
	for i := range x.codec.def.Steps {
		key := string(x.codec.encodeStep([]byte{in.written[0], in.written[1], byte(i)}, i, &whole.Steps[i]))
		if x.world.WhatIf == WhatIfSteps && x.wondered[key] {
			continue
		}
		x.wondered[key] = true
		h := happening{instance: n, step: uint8(i)}
		for leg, verbs := range [][]uint8{{execute, probe}, {compensate}} {
			h.edition, h.attempt = in.steps[i].edition[leg], in.steps[i].attempt[leg]
			for _, h.verb = range verbs {
				x.whatReplies(h)
			}
			h.kind, h.verb = publishRefused, verbs[0]
			for h.value = range uint8(2) {
				x.wonder(h)
			}
			h.kind, h.value = replied, 0
		}
		for k, action := range saga.Actions() {
			a := happening{instance: n, kind: acted, step: uint8(i), verb: uint8(k)}
			if !action.NeedsStep() {
				a.step = noStep
			}
			x.wonder(a)
			switch action {
			case saga.ActionRetry:
				a.value = withPayload
				x.wonder(a)
			case saga.ActionComplete:
				a.value = withOutput
				x.wonder(a)
			}
		}
		x.wonder(happening{instance: n, kind: acted, step: noStep, verb: uint8(len(saga.Actions()))})
		if !in.terminal && in.steps[i].timer {
			x.wonder(happening{instance: n, kind: woken, due: 1 << i})
		}
	}
	if !in.terminal {
		x.wonder(happening{instance: n, kind: woken, due: dueHold})
	}
}

func (x *explorer) whatReplies(h happening) {
	for o, outcome := range x.codec.outcomes {
		if outcome == "" || h.verb == probe && outcome == saga.ReplyInProgress {
			continue
		}
		h.outcome, h.code, h.value = uint8(o), 0, 0
		switch outcome {
		case saga.ReplySucceeded:
			if h.verb == compensate {
				h.code = x.codec.codes.number(saga.CodeNothingToUndo)
				x.wonder(h)
				h.code = 0
				break
			}
			if h.verb == execute {
				h.value = x.codec.values.number(badOutput)
				x.wonder(h)
			}
			h.value = x.codec.values.number(goodOutput)
		case saga.ReplyRejected:
			if h.verb == execute {
				h.code = x.codec.codes.number(saga.CodeNotFound)
				x.wonder(h)
			}
			h.code = x.codec.codes.number("no")
		case saga.ReplyFailed:
			h.code = x.codec.codes.number("broke")
		default:
		}
		x.wonder(h)
	}
}

// Missing reads the transition table of package saga, as its test writes it, and lists the rows that were not walked through.
func (t *Table) Missing(golden string) (missing []string, rows int) {
	all := map[string]bool{}
	is := ""
	for line := range strings.Lines(golden) {
		line = strings.TrimRight(line, "\n")
		if len(line) < 55 || line[0] != ' ' {
			continue
		}
		event, then := strings.ReplaceAll(strings.TrimSpace(line[:54]), " x", ""), line[55:]
		switch {
		case event == "(is)":
			is = effectOf(then)
			continue
		case strings.HasPrefix(strings.TrimSpace(line), "refused: "), strings.HasPrefix(strings.TrimSpace(line), "not asked"):
			code, events := strings.TrimSpace(line[:34]), line[35:]
			for e := range strings.SplitSeq(events, ", ") {
				all[Row(is, e, code)] = true
			}
			continue
		}
		if event == "wake next" {
			event = "wake"
		}
		next := is
		if then[0] != '-' {
			next = effectOf(then)
		}
		if strings.Contains(then, "(ignored)") {
			next += " (ignored)"
		}
		all[Row(is, event, next)] = true
	}
	for row := range all {
		if !t.Has(row) {
			missing = append(missing, row)
		}
	}
	slices.Sort(missing)
	return missing, len(all)
}

// effectOf cuts a state of the table down to the step's status and effect.
func effectOf(state string) string {
	words := strings.Fields(strings.ReplaceAll(state, ",", " "))
	return words[0] + " " + words[1]
}
