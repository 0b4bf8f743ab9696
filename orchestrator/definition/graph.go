package definition

import "slices"

// graph works out each step's predecessors: the step before it, or as soon as any step has `after` what its own `after` names.
func (r *reader) graph() {
	r.graphRead = true
	anyAfter := slices.ContainsFunc(r.steps, func(n *node) bool { return n.get("after") != nil })
	for i, n := range r.steps {
		if !anyAfter {
			if i > 0 {
				r.def.Steps[i].After = []int{i - 1}
			}
			continue
		}
		if after := n.get("after"); after != nil {
			r.def.Steps[i].After = r.after(after, fieldPath(indexPath("steps", i), "after"), i)
		}
	}
	r.ancestors = make([]map[int]bool, len(r.steps))
	for i := range r.steps {
		r.ancestors[i] = map[int]bool{}
		r.climb(i, r.ancestors[i])
	}
}

// climb adds all ancestors of step i; a circle, which Link reports, is walked once.
func (r *reader) climb(i int, found map[int]bool) {
	for _, p := range r.def.Steps[i].After {
		if !found[p] {
			found[p] = true
			r.climb(p, found)
		}
	}
}

func (r *reader) after(n *node, path string, self int) []int {
	if n.kind != arrayKind {
		r.graphRead = false
		r.add(n.pos, path, "%s: want a list of steps' names", n.kind)
		return nil
	}
	var indexes []int
	for j, item := range n.items {
		at := indexPath(path, j)
		if item.kind != stringKind {
			r.graphRead = false
			r.add(item.pos, at, "%s: want a step's name", item.kind)
			continue
		}
		i := r.def.StepIndex(item.text)
		switch {
		case i < 0:
			r.graphRead = false
			r.add(item.pos, at, "there is no step %q%s", item.text, didYouMean(item.text, r.stepNames()))
		case i == self:
			r.graphRead = false
			r.add(item.pos, at, "%s cannot come after itself", item.text)
		case slices.Contains(indexes, i):
			r.add(item.pos, at, "%s is named twice", item.text)
		default:
			indexes = append(indexes, i)
		}
	}
	slices.Sort(indexes)
	return indexes
}

func (r *reader) stepNames() []string {
	names := make([]string, len(r.def.Steps))
	for i, s := range r.def.Steps {
		names[i] = s.Name
	}
	return names
}
