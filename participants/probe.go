package participants

import (
	"context"
	"errors"

	"github.com/skaldhq/skald/participants/wire"
)

// probe says what became of an execute. Where there was none, it sees to it that this edition never has an effect.
func (p *Participant) probe(ctx context.Context, req *Request, c command) (Result, error) {
	var result Result
	var claimed *Row
	key := executeKey(req.Command)
	err := p.within(ctx, p.config.ProbeWait, func(tx BarrierTx) error {
		buried := BuryEdition(req.Command)
		row, err := insert(ctx, tx, key, buried)
		if err != nil {
			return err
		}
		if row == nil {
			result = buried.result()
			return nil
		}
		ruling := RuleProbe(req.Command, *row)
		result = ruling.Result
		if ruling.Then == ThenAsk {
			claimed = row
		}
		if ruling.Put == nil {
			return nil
		}
		return update(ctx, tx, key, *ruling.Put)
	})
	var unstored *unstoredError
	switch {
	case errors.As(err, &unstored) && unstored.result.Outcome == wire.Failed:
		return unknown(), nil // the execute's transaction is open
	case err != nil:
		return Result{}, err
	case claimed != nil:
		return p.ask(ctx, req, c, *claimed)
	}
	return result, nil
}
