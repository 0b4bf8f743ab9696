package participants

import (
	"context"
	"time"

	"github.com/skaldhq/skald/participants/wire"
)

// settleWait bounds how long the settling of a claim waits for the row; whoever holds it is not calling a provider.
const settleWait = 10 * time.Second

// compensate undoes the step's execute once, and buries it where there is nothing to undo. It waits for an execute
// that is still open. Where it meets a claim it asks the provider with no transaction open, and looks again.
func (p *Participant) compensate(ctx context.Context, req *Request, c command) (Result, error) {
	for range 2 {
		result, claimed, err := p.compensateOnce(ctx, req, c)
		if err != nil || claimed == nil {
			return result, err
		}
		if result, err = p.ask(ctx, req, c, *claimed); err != nil || result.Outcome == wire.Unknown {
			return open(), err
		}
	}
	return open(), nil
}

// compensateOnce returns the execute's row when it is claimed; then nothing was stored.
func (p *Participant) compensateOnce(ctx context.Context, req *Request, c command) (result Result, claimed *Row, err error) {
	own, calls := compensateKey(req.Command), false
	err = p.within(ctx, p.config.CompensateWait, func(tx BarrierTx) error {
		done, err := claim(ctx, tx, own, req.Command, RuleCompensate)
		if err != nil || done != nil {
			if done != nil {
				result = *done
			}
			return err
		}
		ruling, execute, err := bury(ctx, tx, req.Command)
		switch {
		case err != nil:
			return err
		case ruling.Then == ThenAsk:
			claimed = execute
			return &unstoredError{open()}
		case ruling.Then == ThenAnswer:
			result = ruling.Result
			return update(ctx, tx, own, Claim(req.Command).settled(result))
		}
		req.Executed = &Executed{CommandID: execute.CommandID, Output: execute.Output}
		if calls = c.external; calls {
			return nil
		}
		result, err = p.effect(ctx, req, tx, own, c.compensate)
		return err
	})
	if claimed != nil {
		return Result{}, claimed, nil
	}
	if err != nil || !calls {
		return result, nil, err
	}
	if result, err = p.call(ctx, req, c.compensate); err != nil {
		return Result{}, nil, err
	}
	result, err = p.settle(ctx, own, Claim(req.Command), result)
	return result, nil, err
}

// bury puts a compensate's tombstone in the execute's place unless that has, or may have, an effect. It returns the
// execute's row where it was there.
func bury(ctx context.Context, tx BarrierTx, c *wire.Command) (Ruling, *Row, error) {
	key := executeKey(c)
	execute, err := insert(ctx, tx, key, BuryExecute(c))
	if err != nil {
		return Ruling{}, nil, err
	}
	if execute == nil {
		return answer(nothingToUndo()), nil, nil
	}
	ruling := RuleUndo(c, *execute)
	if ruling.Put == nil {
		return ruling, execute, nil
	}
	return ruling, execute, update(ctx, tx, key, *ruling.Put)
}

// ask lets the provider say what became of the execute in row, and settles it. The outcome is unknown when nobody
// can tell.
func (p *Participant) ask(ctx context.Context, req *Request, c command, row Row) (Result, error) {
	if c.ask == nil {
		return unknown(), nil
	}
	req.Executed, req.asking = &Executed{CommandID: row.CommandID}, true
	result, err := c.ask(ctx, req)
	req.Executed, req.asking = nil, false
	if err != nil {
		return Result{}, err
	}
	if result.Outcome != wire.Succeeded && result.Outcome != wire.Rejected {
		return unknown(), nil
	}
	return p.settle(ctx, executeKey(req.Command), row, result)
}
