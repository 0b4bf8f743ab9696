package participants

import "github.com/skaldhq/skald/participants/wire"

// Then is what a rule asks for, after Ruling.Put was stored where it is set.
type Then int

const (
	ThenAnswer Then = iota // answer with Ruling.Result
	ThenRun                // run the handler
	ThenAsk                // the row is claimed: ask the provider, or say that it is open
)

// Ruling is what a row that is there means for a command. The rules are pure: no clock, no store.
type Ruling struct {
	Then   Then
	Result Result // for ThenAnswer
	Put    *Row   // nil: the row stays
}

// Claim is the row that a command inserts before it runs.
func Claim(c *wire.Command) Row {
	return Row{CommandID: c.ID, Edition: c.Edition, State: Claimed}
}

// BuryExecute is the row that a compensate inserts for the execute: from then on no execute has an effect.
func BuryExecute(compensate *wire.Command) Row {
	return Row{CommandID: compensate.ID, Edition: compensate.Edition, State: CompensateTombstone}
}

// BuryEdition is the row that a probe inserts under the id and edition of the execute that it asks about.
func BuryEdition(probe *wire.Command) Row {
	return Row{
		CommandID: wire.CommandID(probe.SagaID, probe.Step, wire.Execute, probe.Edition),
		Edition:   probe.Edition,
		State:     ProbeTombstone,
		Code:      wire.CodeNotFound,
		Message:   "a probe came before the command",
	}
}

// RuleExecute is for an execute whose row is there.
func RuleExecute(c *wire.Command, row Row) Ruling {
	if row.State == CompensateTombstone {
		return answer(alreadyCompensated())
	}
	if row.CommandID == c.ID {
		if row.State == Claimed {
			return Ruling{Then: ThenRun}
		}
		return answer(row.result())
	}
	if c.Edition <= row.Edition {
		return answer(superseded())
	}
	switch row.State {
	case Rejected, ProbeTombstone:
		return takeOver(c)
	case Succeeded:
		return answer(row.result())
	case Claimed, CompensateTombstone:
	}
	return answer(open())
}

// RuleCompensate is for a compensate whose own row is there. ThenRun means that the execute's row decides next.
func RuleCompensate(c *wire.Command, row Row) Ruling {
	if row.CommandID == c.ID {
		if row.State == Claimed {
			return Ruling{Then: ThenRun}
		}
		return answer(row.result())
	}
	switch {
	case c.Edition <= row.Edition:
		return answer(superseded())
	case row.State == Claimed:
		return answer(open())
	case row.State == Rejected, row.Code == wire.CodeNothingToUndo:
		return takeOver(c)
	}
	return answer(row.result())
}

// RuleUndo is for a compensate that may run and finds the execute's row: ThenRun is to undo.
func RuleUndo(c *wire.Command, execute Row) Ruling {
	switch execute.State {
	case Succeeded:
		return Ruling{Then: ThenRun}
	case Claimed:
		return Ruling{Then: ThenAsk}
	case Rejected, ProbeTombstone, CompensateTombstone:
	}
	buried := BuryExecute(c)
	return Ruling{Then: ThenAnswer, Result: nothingToUndo(), Put: &buried}
}

// RuleProbe is for a probe that finds the execute's row.
func RuleProbe(c *wire.Command, execute Row) Ruling {
	switch {
	case execute.State == CompensateTombstone:
		return answer(alreadyCompensated())
	case execute.Edition > c.Edition:
		return answer(superseded())
	case execute.State == Claimed && execute.Edition == c.Edition:
		return Ruling{Then: ThenAsk}
	case execute.State == Claimed:
		return answer(unknown())
	case execute.Edition == c.Edition, execute.State == Succeeded:
		return answer(execute.result())
	}
	buried := BuryEdition(c)
	return Ruling{Then: ThenAnswer, Result: buried.result(), Put: &buried}
}

// RuleSettle is for an external effect that is known, and the row of its claim. Where the row was settled by somebody
// else meanwhile, their word stands but against a success: an effect that is there must not be hidden, so that the
// engine compensates it.
func RuleSettle(claimed Row, result Result, row Row) Ruling {
	settled := claimed.settled(result)
	if row.State == Claimed && row.CommandID == claimed.CommandID {
		return Ruling{Then: ThenAnswer, Result: result, Put: &settled}
	}
	switch {
	case row.State == Succeeded && row.Edition > claimed.Edition && result.Outcome == wire.Rejected:
		return answer(superseded()) // what a higher edition did is no answer to this one
	case row.State == Succeeded:
		return answer(row.result())
	case result.Outcome == wire.Succeeded:
		return Ruling{Then: ThenAnswer, Result: result, Put: &settled}
	case row.State == CompensateTombstone:
		return answer(alreadyCompensated())
	}
	return answer(result)
}

// settled is the row after its command was answered for good.
func (r Row) settled(result Result) Row {
	state := Rejected
	if result.Outcome == wire.Succeeded {
		state = Succeeded
	}
	return Row{
		CommandID: r.CommandID, Edition: r.Edition, State: state,
		Code: result.Code, Message: result.Message, Output: result.Output,
	}
}

// result is the answer that the row stores.
func (r Row) result() Result {
	outcome := wire.Rejected
	if r.State == Succeeded {
		outcome = wire.Succeeded
	}
	return Result{Outcome: outcome, Code: r.Code, Message: r.Message, Output: r.Output}
}

func takeOver(c *wire.Command) Ruling {
	claim := Claim(c)
	return Ruling{Then: ThenRun, Put: &claim}
}

func answer(r Result) Ruling { return Ruling{Then: ThenAnswer, Result: r} }

func alreadyCompensated() Result {
	return Result{Outcome: wire.Rejected, Code: wire.CodeAlreadyCompensated, Message: "the step was compensated before"}
}

func superseded() Result {
	return Result{Outcome: wire.Rejected, Code: wire.CodeSuperseded, Message: "a higher edition of the command is known"}
}

func nothingToUndo() Result {
	return Result{Outcome: wire.Succeeded, Code: wire.CodeNothingToUndo}
}

func open() Result {
	return Result{Outcome: wire.Failed, Code: wire.CodeExecuteOpen, Message: "an earlier command of the step is not answered yet"}
}

func unknown() Result {
	return Result{Outcome: wire.Unknown, Code: wire.CodeExecuteOpen, Message: "the command has begun and is not answered yet"}
}
