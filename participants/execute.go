package participants

import (
	"context"

	"github.com/skaldhq/skald/participants/wire"
)

// execute takes the effect once: row, effect and answer commit together.
func (p *Participant) execute(ctx context.Context, req *Request, c command) (Result, error) {
	var result Result
	key := executeKey(req.Command)
	err := p.within(ctx, 0, func(tx BarrierTx) error {
		done, err := claim(ctx, tx, key, req.Command, RuleExecute)
		if err != nil || done != nil {
			if done != nil {
				result = *done
			}
			return err
		}
		result, err = p.effect(ctx, req, tx, key, c.execute)
		return err
	})
	return result, err
}

// claim inserts the claim of c under key. It returns nil when the handler is to run, else the answer.
func claim(
	ctx context.Context, tx BarrierTx, key RowKey, c *wire.Command, rule func(*wire.Command, Row) Ruling,
) (*Result, error) {
	row, err := insert(ctx, tx, key, Claim(c))
	if err != nil || row == nil {
		return nil, err
	}
	ruling := rule(c, *row)
	if ruling.Put != nil {
		if err := update(ctx, tx, key, *ruling.Put); err != nil {
			return nil, err
		}
	}
	if ruling.Then == ThenRun {
		return nil, nil
	}
	return &ruling.Result, nil
}

// executeExternal claims, calls the provider with no transaction open, and settles. A crash between leaves the claim,
// which a duplicate, an Ask or nobody resolves; it is never taken for "no effect".
func (p *Participant) executeExternal(ctx context.Context, req *Request, c command) (Result, error) {
	var done *Result
	key := executeKey(req.Command)
	err := p.within(ctx, 0, func(tx BarrierTx) (err error) {
		done, err = claim(ctx, tx, key, req.Command, RuleExecute)
		return err
	})
	if err != nil {
		return Result{}, err
	}
	if done != nil {
		return *done, nil
	}
	result, err := p.call(ctx, req, c.execute)
	if err != nil {
		return Result{}, err
	}
	return p.settle(ctx, key, Claim(req.Command), result)
}

// settle stores the answer of a claim, unless somebody else did, and returns the one that stands. It is not given up
// when ctx ends: the effect is there, and only its answer is missing.
func (p *Participant) settle(ctx context.Context, key RowKey, claimed Row, result Result) (Result, error) {
	ctx = context.WithoutCancel(ctx)
	err := p.within(ctx, settleWait, func(tx BarrierTx) error {
		row, err := insert(ctx, tx, key, claimed.settled(result))
		if err != nil || row == nil {
			return err
		}
		ruling := RuleSettle(claimed, result, *row)
		result = ruling.Result
		if ruling.Put == nil {
			return nil
		}
		return update(ctx, tx, key, *ruling.Put)
	})
	return result, err
}
