package sim

import (
	"fmt"
	"strings"
	"time"
)

// Violation is a promise that a run broke. Its text begins with a line of its own: `violated: S5 ...`.
type Violation struct {
	// Guarantee is S1 to S23 or L1 to L8 of design section 7, "rule N" of its section 5, "invariant" where the engine itself
	// stopped a saga, or "world" where the simulation contradicts itself.
	Guarantee string
	At        time.Duration // of virtual time since the world began
	Message   string
}

func (v *Violation) Error() string {
	first, rest, more := strings.Cut(v.Message, "\n")
	text := fmt.Sprintf("violated: %s at %s: %s", v.Guarantee, v.At, first)
	if more {
		text += "\n" + rest
	}
	return text
}

// violate ends the run: a promise is broken. The first violation counts.
func (w *world) violate(guarantee, format string, args ...any) {
	if w.failed == nil {
		w.failed = &Violation{Guarantee: guarantee, At: w.now.Sub(epoch), Message: fmt.Sprintf(format, args...)}
		w.note("violated", guarantee)
	}
}

// Failure is a run that broke a promise. It unwraps to its *Violation.
type Failure struct {
	Options   Options
	Report    Report
	Violation *Violation
}

func (f *Failure) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d: %v\n", f.Options.Seed, f.Violation)
	fmt.Fprintf(&b, "trace %016x, %d faults in %s of virtual time\n", f.Report.Trace, len(f.Report.Hits), f.Report.Virtual)
	test := "TestSeed"
	if len(f.Options.Crash) > 0 {
		test = "TestCrash"
	}
	fmt.Fprintf(&b, "run it again: go test ./orchestrator/sim -run '%s$' -v -args -seed=%d", test, f.Options.Seed)
	if f.Options.Outside > 0 {
		fmt.Fprintf(&b, " -outside=%d", f.Options.Outside)
	}
	if f.Options.KillAt > 0 {
		fmt.Fprintf(&b, " -kill-at=%d", f.Options.KillAt)
	}
	if len(f.Options.Crash) > 0 {
		fmt.Fprintf(&b, " -crash=%s", crashList(f.Options.Crash))
	}
	if len(f.Report.Notes) > 0 {
		fmt.Fprintf(&b, "\nthe last of its trace:\n  %s", strings.Join(f.Report.Notes, "\n  "))
	}
	return b.String()
}

func (f *Failure) Unwrap() error { return f.Violation }
