package conformance

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	// PatienceDefault is how long a reply may take.
	PatienceDefault = 10 * time.Second
	// QuietDefault is how long the kit looks for replies that must not come.
	QuietDefault = 300 * time.Millisecond
	// RestartPatienceDefault is how long a reply may take after a crash.
	RestartPatienceDefault = 90 * time.Second
	// TenantDefault is the tenant of the kit's commands: what they leave in a participant's tables can be told by it.
	TenantDefault = "conformance"
)

// Config is what Run takes. Plan and Link are required.
type Config struct {
	Plan            *Plan
	Link            Link
	Crasher         Crasher          // nil: the crash is not tried
	Patience        time.Duration    // 0: PatienceDefault
	Quiet           time.Duration    // 0: QuietDefault
	RestartPatience time.Duration    // 0: RestartPatienceDefault
	Tenant          string           // "": TenantDefault
	Now             func() time.Time // nil: time.Now
	Progress        func(Finding)    // is told of each finding as it is made; nil: nobody
}

func (c *Config) setDefaults() {
	c.Patience = cmp.Or(c.Patience, PatienceDefault)
	c.Quiet = cmp.Or(c.Quiet, QuietDefault)
	c.RestartPatience = cmp.Or(c.RestartPatience, RestartPatienceDefault)
	c.Tenant = cmp.Or(c.Tenant, TenantDefault)
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Progress == nil {
		c.Progress = func(Finding) {}
	}
}

// Run plays every check, one after the other. The error is ctx's, that of a plan or link that is missing, or the Link's where nothing can be
// sent any more; then the report holds what was found until then. A participant that fails checks is no error.
func Run(ctx context.Context, config Config) (Report, error) {
	if config.Plan == nil || config.Link == nil {
		return Report{}, errors.New("run the conformance kit: no plan or no link")
	}
	config.setDefaults()
	s := newSession(config)
	report := Report{Participant: config.Plan.Participant}
	tell := func(f Finding) {
		report.Findings = append(report.Findings, f)
		config.Progress(f)
	}
	stopped := ""
	for _, c := range scenarios() {
		f := s.play(ctx, c, &stopped)
		if err := cmp.Or(ctx.Err(), s.lost); err != nil {
			return report, err
		}
		tell(f)
	}
	s.receive(ctx, config.Quiet, func() bool { return false }) // what comes late is judged too
	for _, r := range rules() {
		tell(s.ruled(r))
	}
	return report, ctx.Err()
}

// play plays one check. stopped is why none can be played any more; "": they can.
func (s *session) play(ctx context.Context, c scenario, stopped *string) Finding {
	f := Finding{Check: c.Name, Section: c.Section, Says: c.Says, Verdict: Untried, Saw: *stopped}
	if *stopped != "" {
		return f
	}
	if missing := c.missing(s); missing != "" {
		f.Saw = missing
		return f
	}
	scene := s.scene(ctx)
	c.play(scene)
	f.Saw, f.Verdict = scene.saw(), cmp.Or(scene.verdict, Pass)
	switch {
	case f.Verdict != Fail:
	case c.Name == first:
		*stopped = "the plan's payload is not answered succeeded: is it right, and does the participant run? (--plan, --patience)"
	case scene.silent && !s.alive(ctx):
		*stopped = fmt.Sprintf("the participant answers nothing any more since %s", c.Name)
	}
	return f
}

// alive reports whether a command that is good is answered.
func (s *session) alive(ctx context.Context) bool {
	scene := s.scene(ctx)
	scene.ask(scene.execute(0))
	return !scene.silent
}

// ruled is what came of a rule about all replies.
func (s *session) ruled(r rule) Finding {
	f := Finding{Check: r.Name, Section: r.Section, Says: r.Says, Verdict: Pass}
	if r.judge == nil {
		f.Saw = fmt.Sprintf("%d replies, each to a command", s.replies)
		if len(s.strays) > 0 {
			f.Verdict, f.Saw = Fail, fmt.Sprintf("%d that fit none, first in %s", len(s.strays), s.strays[0])
		}
		if s.replies == 0 {
			f.Verdict, f.Saw = Untried, "there was no reply"
		}
		return f
	}
	switch n := s.judged[r.Name]; {
	case s.broken[r.Name] != "":
		f.Verdict, f.Saw = Fail, s.broken[r.Name]
	case n == 0:
		f.Verdict, f.Saw = Untried, "there was no reply that it is about"
	default:
		f.Saw = fmt.Sprintf("in %d replies", n)
	}
	return f
}
