package definition

import (
	"regexp"
	"time"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// What holds where neither a step nor `defaults` says otherwise.
const (
	TimeoutDefault     = 10 * time.Second
	MaxAttemptsDefault = 5
	InitialDefault     = 200 * time.Millisecond
	MultiplierDefault  = 2
	MaxDefault         = 10 * time.Second
	JitterDefault      = 0.2
)

// top reads everything but the expressions and schemas.
func (r *reader) top() {
	r.known(r.root, "", "a definition", "saga", "version", "description", "input", "key", "deadline", "defaults", "steps", "output",
		"labels", "events", "redact")
	d := r.def
	d.Name = r.required(r.root, "", "saga")
	if r.root.get("version") == nil {
		r.missing(r.root, "", "version")
	}
	d.Version = r.whole(r.root, "", "version", 1)
	d.Description = r.text(r.root, "", "description")
	d.Deadline = r.duration(r.root, "", "deadline", 0)
	if v := r.root.get("deadline"); v != nil && d.Deadline == 0 {
		r.addOnce(v.pos, "deadline", "want more than 0s; leave it out for none")
	}
	d.Events = saga.EventLevel(r.oneOf(r.root, "", "events", string(saga.EventsLifecycle), string(saga.EventsLifecycle),
		string(saga.EventsAll), string(saga.EventsNone)))
	r.redact()
	r.stepList(r.defaults())
}

// addOnce is add, but for paths that have a problem already.
func (r *reader) addOnce(at position, path, message string) {
	if !r.isBad(path) {
		r.add(at, path, "%s", message)
	}
}

// redact reads JSON pointers (RFC 6901), in which * stands for any one name or index.
func (r *reader) redact() {
	list := r.root.get("redact")
	if list == nil {
		return
	}
	if list.kind != arrayKind {
		r.add(list.pos, "redact", "%s: want a list of JSON pointers", list.kind)
		return
	}
	pointer := regexp.MustCompile(`^(/([^~/]|~[01])*)+$`)
	for i, item := range list.items {
		if item.kind != stringKind || !pointer.MatchString(item.text) {
			r.add(item.pos, indexPath("redact", i), "want a JSON pointer, such as /card/number")
			continue
		}
		r.def.Redact = append(r.def.Redact, item.text)
	}
}

// policy is how long an attempt may take, and how often it is made.
type policy struct {
	timeout time.Duration
	retry   saga.Retry
}

func (r *reader) defaults() policy {
	p := policy{TimeoutDefault, saga.Retry{
		MaxAttempts: MaxAttemptsDefault, Initial: InitialDefault,
		Multiplier: MultiplierDefault, Max: MaxDefault, Jitter: JitterDefault,
	}}
	n := r.root.get("defaults")
	if n == nil || !r.known(n, "defaults", "defaults", "timeout", "retry") {
		return p
	}
	return r.policy(n, "defaults", p)
}

// policy reads timeout and retry; what n does not say is as in p.
func (r *reader) policy(n *node, path string, p policy) policy {
	p.timeout = r.duration(n, path, "timeout", p.timeout)
	retry := n.get("retry")
	path = fieldPath(path, "retry")
	if retry == nil || !r.known(retry, path, "retry", "max_attempts", "initial", "multiplier", "max", "jitter") {
		return p
	}
	p.retry.MaxAttempts = r.whole(retry, path, "max_attempts", p.retry.MaxAttempts)
	p.retry.Initial = r.duration(retry, path, "initial", p.retry.Initial)
	p.retry.Multiplier = r.number(retry, path, "multiplier", p.retry.Multiplier)
	p.retry.Max = r.duration(retry, path, "max", p.retry.Max)
	p.retry.Jitter = r.number(retry, path, "jitter", p.retry.Jitter)
	return p
}

func (r *reader) stepList(defaults policy) {
	list := r.root.get("steps")
	if list == nil {
		r.missing(r.root, "", "steps")
		return
	}
	if list.kind != arrayKind {
		r.add(list.pos, "steps", "%s: want a list of steps", list.kind)
		return
	}
	if len(list.items) > saga.MaxSteps {
		r.add(list.pos, "steps", "%d steps: at most %d are allowed", len(list.items), saga.MaxSteps)
		list.items = list.items[:saga.MaxSteps]
	}
	for i, n := range list.items {
		path := indexPath("steps", i)
		if !r.known(n, path, "a step", "name", "participant", "command", "payload", "returns", "when", "after", "kind", "effect",
			"timeout", "retry", "compensation", "probe") {
			n = &node{kind: objectKind, pos: n.pos}
		}
		r.steps = append(r.steps, n)
		r.def.Steps = append(r.def.Steps, r.step(n, path, defaults))
	}
}

func (r *reader) step(n *node, path string, defaults policy) saga.Step {
	p := r.policy(n, path, defaults)
	s := saga.Step{
		Name:        r.required(n, path, "name"),
		Participant: r.required(n, path, "participant"),
		Command:     r.required(n, path, "command"),
		Timeout:     p.timeout,
		Retry:       p.retry,
		Probe:       r.text(n, path, "probe"),
	}
	s.Kind = saga.Kind(r.oneOf(n, path, "kind", string(saga.Compensatable), string(saga.Compensatable), string(saga.Pivot),
		string(saga.Retriable)))
	s.EffectNone = r.oneOf(n, path, "effect", "", "none") == "none"
	if v := n.get("probe"); v != nil && s.Probe == "" {
		r.addOnce(v.pos, fieldPath(path, "probe"), "is empty: want a command")
	}
	if c := n.get("compensation"); c != nil {
		s.Compensation = r.compensation(c, fieldPath(path, "compensation"), defaults)
	}
	return s
}

func (r *reader) compensation(n *node, path string, defaults policy) *saga.Compensation {
	if !r.known(n, path, "a compensation", "command", "payload", "timeout", "retry") {
		return nil
	}
	p := r.policy(n, path, defaults)
	return &saga.Compensation{Command: r.required(n, path, "command"), Timeout: p.timeout, Retry: p.retry}
}
