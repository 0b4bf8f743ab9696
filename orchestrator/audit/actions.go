package audit

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/skaldhq/skald/orchestrator/internal/stored"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// VerifyActions checks the record of operator actions alone: its hash chains, and that each action is in its saga.
func VerifyActions(ctx context.Context, store Store) (Report, error) {
	a := newAuditor(Config{Store: store, Limit: 1000})
	scope, err := store.AuditScope(ctx)
	if err != nil {
		return a.report, fmt.Errorf("see what there is to audit: %w", err)
	}
	a.since = scope.SagasSince
	for _, tenant := range scope.Tenants {
		if err := a.actions(ctx, tenant); err != nil {
			return a.report, err
		}
	}
	sortProblems(a.report.Problems)
	return a.report, nil
}

func (a *auditor) actions(ctx context.Context, tenant string) error {
	var chain *ChainError
	if err := a.cfg.Store.VerifyAudit(ctx, tenant); errors.As(err, &chain) {
		a.problem(Problem{Kind: ActionsChain, Tenant: tenant, Target: fmt.Sprintf("entry %d", chain.Entry), What: chain.What})
	} else if err != nil {
		return fmt.Errorf("verify the operator actions of %s: %w", tenant, err)
	}
	for before := int64(math.MaxInt64); ; {
		entries, err := a.cfg.Store.Audit(ctx, tenant, before, actionsAtOnce)
		if errors.Is(err, stored.ErrFormat) {
			a.problem(Problem{Kind: ActionUnreadable, Tenant: tenant, What: err.Error()})
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the operator actions of %s: %w", tenant, err)
		}
		var ids []saga.ID
		for i := range entries {
			if before = entries[i].Seq; !entries[i].Saga.IsZero() {
				ids = append(ids, entries[i].Saga)
			}
		}
		revisions, err := a.cfg.Store.Revisions(ctx, ids)
		if err != nil {
			return fmt.Errorf("read the sagas of operator actions: %w", err)
		}
		for i := range entries {
			a.action(tenant, &entries[i], revisions)
		}
		a.checked(Checked{Actions: len(entries)})
		if len(entries) < actionsAtOnce {
			return nil
		}
	}
}

// action checks that what an operator did is in the saga: both were stored in one transaction.
func (a *auditor) action(tenant string, e *stored.AuditEntry, revisions map[saga.ID]int64) {
	if e.Saga.IsZero() {
		return
	}
	p := Problem{Tenant: tenant, Saga: e.Saga, Target: fmt.Sprintf("entry %d", e.Seq)}
	switch revision, exists := revisions[e.Saga]; {
	case !exists && e.Saga.Time().Before(a.since):
	case !exists:
		p.Kind, p.What = ActionWithoutSaga, fmt.Sprintf("%s by %s is recorded, and the saga does not exist", e.Action, e.Actor)
		a.problem(p)
	case revision < e.After:
		p.Kind, p.What = ActionWithoutTrace, fmt.Sprintf("%s by %s led to revision %d, and the saga has %d", e.Action, e.Actor, e.After, revision)
		a.problem(p)
	}
}
