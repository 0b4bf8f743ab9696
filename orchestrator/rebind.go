package orchestrator

import (
	"context"
	"errors"
	"fmt"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// aim gives a rebind the version that it names, as the saga's tenant has it (design rule 16); where there is none, Decide says
// so. Other actions stay as they are. An error means: try again.
func (r *registry) aim(ctx context.Context, act *saga.Acted, in *saga.Instance, holds []Hold) error {
	act.To = nil
	if act.Action != saga.ActionRebind {
		return nil
	}
	def, err := r.get(ctx, in.Tenant, in.Saga, act.Version)
	switch {
	case errors.Is(err, ErrUnknownSagaType):
		return nil
	case err != nil:
		return fmt.Errorf("rebind %s: %w", in.ID, err)
	}
	act.To = &saga.Target{Definition: def, Holds: HoldsFor(holds, in.Tenant, in.ID, def)}
	return nil
}
