package conformance

import (
	"slices"

	"github.com/skaldhq/skald/participants/wire"
)

func playExecute(s *scene) { s.want(s.ask(s.execute(0)), wire.Succeeded, "") }

func playRefusal(s *scene) { s.want(s.ask(s.refused(0)), wire.Rejected, "") }

func playDuplicate(s *scene) {
	c := s.execute(0)
	s.same(s.ask(c), s.ask(c))
}

func playNextAttempt(s *scene) {
	c := s.execute(0)
	s.same(s.ask(c), s.ask(s.next(c)))
}

func playDuplicateRefused(s *scene) {
	c := s.refused(0)
	first := s.ask(c)
	s.want(first, wire.Rejected, "")
	s.same(first, s.ask(s.next(c)))
}

func playDuplicateFailed(s *scene) {
	c := s.executing(0, s.Plan.Flaky)
	if a := s.ask(c); a.outcome != string(wire.Failed) {
		s.untried("the plan's `flaky` is answered %s at attempt 1, want failed", a)
	}
	s.want(s.ask(s.next(c)), wire.Succeeded, "")
}

// atOnce is how many deliveries of one command are sent without waiting.
const atOnce = 10

func playDuplicatesAtOnce(s *scene) {
	c := s.execute(0)
	var deliveries []*delivery
	for range atOnce {
		deliveries = append(deliveries, s.deliver(c))
		c = s.next(c)
	}
	answers := s.all(deliveries...)
	s.want(answers[0], wire.Succeeded, "")
	for _, a := range answers[1:] {
		s.same(answers[0], a)
	}
}

func playAttemptsReordered(s *scene) {
	c := s.execute(0)
	second := s.ask(s.next(c))
	s.want(second, wire.Succeeded, "")
	s.same(second, s.ask(c))
}

func playCompensation(s *scene) { s.undone() }

// undone executes and compensates.
func (s *scene) undone() (execute, compensate wire.Command, executed, compensated answer) {
	execute = s.execute(0)
	executed = s.ask(execute)
	s.want(executed, wire.Succeeded, "")
	compensate = s.compensate(0, executed.value)
	compensated = s.ask(compensate)
	s.want(compensated, wire.Succeeded, "")
	return execute, compensate, executed, compensated
}

func playCompensationDuplicate(s *scene) {
	_, compensate, _, compensated := s.undone()
	s.same(compensated, s.ask(compensate))
	s.same(compensated, s.ask(s.next(compensate)))
}

func playExecutionLate(s *scene) {
	execute, _, executed, _ := s.undone()
	s.same(executed, s.ask(s.next(execute)))
}

func playCompensationFirst(s *scene) {
	s.want(s.ask(s.compensate(0, nil)), wire.Succeeded, wire.CodeNothingToUndo)
}

func playCompensationFirstDuplicate(s *scene) {
	c := s.compensate(0, nil)
	s.same(s.ask(c), s.ask(s.next(c)))
}

func playExecutionAfter(s *scene) {
	s.ask(s.compensate(0, nil))
	c := s.execute(0)
	s.want(s.ask(c), wire.Rejected, wire.CodeAlreadyCompensated)
	s.want(s.ask(s.next(c)), wire.Rejected, wire.CodeAlreadyCompensated)
}

func playCompensationOfRefused(s *scene) {
	s.want(s.ask(s.refused(0)), wire.Rejected, "")
	s.want(s.ask(s.compensate(0, nil)), wire.Succeeded, wire.CodeNothingToUndo)
}

// playCommandsAtOnce: the compensation must see what the execute did, and the other way round.
func playCommandsAtOnce(s *scene) {
	execute := s.execute(0)
	answers := s.all(s.deliver(execute), s.deliver(s.compensate(0, nil)), s.deliver(s.next(execute)))
	s.want(answers[0], wire.Succeeded, "")
	s.want(answers[1], wire.Succeeded, "")
	s.same(answers[0], answers[2])
}

func playEditionOverRefusal(s *scene) {
	s.want(s.ask(s.refused(0)), wire.Rejected, "")
	s.want(s.ask(s.execute(1)), wire.Succeeded, "")
}

func playEditionOverSuccess(s *scene) {
	first := s.ask(s.execute(0))
	s.want(first, wire.Succeeded, "")
	s.same(first, s.ask(s.execute(1)))
}

func playEditionLower(s *scene) {
	s.want(s.ask(s.execute(1)), wire.Succeeded, "")
	s.want(s.ask(s.execute(0)), wire.Rejected, wire.CodeSuperseded)
}

func playCompensationEdition(s *scene) {
	_, _, executed, compensated := s.undone()
	s.same(compensated, s.ask(s.compensate(1, executed.value)))
}

func playCompensationEditionLower(s *scene) {
	executed := s.ask(s.execute(0))
	s.want(executed, wire.Succeeded, "")
	s.want(s.ask(s.compensate(1, executed.value)), wire.Succeeded, "")
	s.want(s.ask(s.compensate(0, executed.value)), wire.Rejected, wire.CodeSuperseded)
}

// probes are the checks of a participant that answers probes.
func probes() []scenario {
	return []scenario{
		{Check{"probe", sectionProbe, "same edition, answered: the stored answer"}, nil, playProbe},
		{Check{"probe-not-found", sectionProbe, "no row: rejected, not_found"}, nil, playProbeNotFound},
		{Check{"probe-buries", sectionProbe, "after not_found this edition never has an effect: rejected, not_found"}, nil, playProbeBuries},
		{Check{"probe-then-edition", sectionExecute, "a higher edition over a probe tombstone runs"}, nil, playProbeThenEdition},
		{Check{"probe-edition-lower", sectionProbe, "a higher edition than asked about: rejected, superseded"}, nil, playProbeLower},
		{Check{"probe-compensated", sectionProbe, "compensate tombstone: rejected, already_compensated"}, []need{needsUndo}, playProbeCompensated},
	}
}

// probed asks a probe. One whose steps have no probe may say that it knows none.
func (s *scene) probed(edition int) answer {
	a := s.ask(s.probe(edition))
	if a.outcome == string(wire.Failed) && a.code == wire.CodeUnknownCommand {
		if s.Plan.Probe == "" {
			s.untried("probes are answered failed, unknown_command, as is allowed where no step has one: give `probe` in a plan (--plan) to demand them")
		}
		s.fail("want an answer")
	}
	return a
}

func playProbe(s *scene) {
	executed := s.ask(s.execute(0))
	s.want(executed, wire.Succeeded, "")
	s.same(executed, s.probed(0))
}

func playProbeNotFound(s *scene) { s.want(s.probed(0), wire.Rejected, wire.CodeNotFound) }

func playProbeBuries(s *scene) {
	s.probed(0)
	s.want(s.ask(s.execute(0)), wire.Rejected, wire.CodeNotFound)
}

func playProbeThenEdition(s *scene) {
	s.probed(0)
	s.want(s.ask(s.execute(1)), wire.Succeeded, "")
}

func playProbeLower(s *scene) {
	s.want(s.ask(s.execute(1)), wire.Succeeded, "")
	s.want(s.probed(0), wire.Rejected, wire.CodeSuperseded)
}

func playProbeCompensated(s *scene) {
	s.ask(s.compensate(0, nil))
	s.want(s.probed(0), wire.Rejected, wire.CodeAlreadyCompensated)
}

// oddities are commands that are right and unusual, and those that are right and not known.
func oddities() []scenario {
	return []scenario{
		{Check{"expired", sectionComes, "after ce_expirytime: handled, for the answer counts; or failed, expired"}, nil, playExpired},
		{Check{"unknown-command", sectionComes, "no handler: failed, unknown_command"}, nil, playUnknownCommand},
		{Check{"unknown-command-unstored", sectionComes, "no handler: nothing is stored, the next version may know it"}, nil, playUnknownUnstored},
		{Check{"unknown-headers", "Records", "unknown headers are ignored"}, nil, playUnknownHeaders},
		{Check{"content-type-parameters", "Commands", "content-type's parameters are ignored"}, nil, playContentType},
		{Check{"time-forms", "Records", "a time has any offset and any fraction of a second"}, nil, playTimes},
		{Check{"token-opaque", "The token", "the token is opaque: echoed byte for byte, whatever it is"}, nil, playToken},
	}
}

func playExpired(s *scene) {
	c := s.execute(0)
	c.Time, c.Expiry = c.Time.Add(-2*s.Patience), c.Time.Add(-s.Patience)
	a := s.ask(c)
	if a.outcome == string(wire.Failed) && a.code == wire.CodeExpired {
		return
	}
	s.want(a, wire.Succeeded, "")
}

const unknownName = "NoCommandOfConformance.v1"

func playUnknownCommand(s *scene) {
	s.want(s.ask(s.command(s.saga, unknownName, wire.Execute, 0, []byte(`{}`))), wire.Failed, wire.CodeUnknownCommand)
	s.want(s.ask(s.command(s.saga, unknownName, wire.Compensate, 0, []byte(`{}`))), wire.Failed, wire.CodeUnknownCommand)
}

func playUnknownUnstored(s *scene) {
	s.ask(s.command(s.saga, unknownName, wire.Compensate, 0, []byte(`{}`)))
	s.ask(s.command(s.saga, unknownName, wire.Execute, 0, []byte(`{}`)))
	s.want(s.ask(s.next(s.execute(0))), wire.Succeeded, "")
}

// altered asks for an execute whose record is changed first.
func (s *scene) altered(change func(*wire.Record)) answer {
	d := s.deliver(s.execute(0))
	change(&d.record)
	return s.all(d)[0]
}

func playUnknownHeaders(s *scene) {
	s.want(s.altered(func(r *wire.Record) {
		r.Headers = append([]wire.Header{{Key: "x-conformance", Value: []byte("größer")}, {Key: "ce_newer", Value: []byte("1")}}, r.Headers...)
	}), wire.Succeeded, "")
}

func playContentType(s *scene) {
	s.want(s.altered(put(wire.HeaderContentType, "application/json; charset=utf-8")), wire.Succeeded, "")
}

func playTimes(s *scene) {
	s.want(s.altered(func(r *wire.Record) {
		put(wire.HeaderTime, "2026-10-01T14:00:00.123456789+02:00")(r)
		put(wire.HeaderExpiryTime, "2099-10-01T07:00:00.1-05:00")(r)
	}), wire.Succeeded, "")
}

func playToken(s *scene) {
	c := s.execute(0)
	c.Token = `k-1.  "größer" = {als; null,}  /+~` + c.Token
	s.want(s.ask(c), wire.Succeeded, "")
	if saw := s.broken["reply-token"]; saw != "" {
		s.fail("%s", saw)
	}
}

// put replaces a header's value.
func put(name, value string) func(*wire.Record) {
	return func(r *wire.Record) {
		r.Headers = slices.Clone(r.Headers)
		for i := range r.Headers {
			if r.Headers[i].Key == name {
				r.Headers[i].Value = []byte(value)
			}
		}
	}
}
