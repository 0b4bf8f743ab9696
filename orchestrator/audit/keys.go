package audit

import (
	"fmt"
	"time"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// checkKey answers what is wrong with a key: that it and the answer kept under it lead to sagas (S1, S2).
// since is from when on sagas must be there.
func checkKey(kind orchestrator.ClaimKind, tenant string, k *KeyRow, page *Keys, since time.Time) []Problem {
	if kind == orchestrator.ClaimBusinessKey {
		return checkBusinessKey(tenant, k, page, since)
	}
	return checkAnswer(tenant, k, page, since)
}

func checkBusinessKey(tenant string, k *KeyRow, page *Keys, since time.Time) []Problem {
	target := fmt.Sprintf("business key %q of %s", k.Key.Key, k.Saga)
	owner, exists := page.Sagas[k.ID]
	switch {
	case !exists && k.ID.Time().Before(since):
		return nil // its week was detached
	case !exists:
		return []Problem{{Kind: KeyWithoutSaga, Tenant: tenant, Saga: k.ID, Target: target, What: "it belongs to a saga that does not exist"}}
	case owner.Tenant != tenant || owner.Saga != k.Saga || owner.Key != k.Key.Key:
		return []Problem{{
			Kind: KeyOfAnother, Tenant: tenant, Saga: k.ID, Target: target,
			What: fmt.Sprintf("it belongs to a saga of %s with key %q, tenant %s", owner.Saga, owner.Key, owner.Tenant),
		}}
	}
	return nil
}

func checkAnswer(tenant string, k *KeyRow, page *Keys, since time.Time) []Problem {
	target := fmt.Sprintf("Idempotency-Key %q", k.Key.Key)
	problem := func(kind Kind, id saga.ID, format string, args ...any) []Problem {
		return []Problem{{Kind: kind, Tenant: tenant, Saga: id, Target: target, What: fmt.Sprintf(format, args...)}}
	}
	if k.Answer == nil {
		return problem(AnswerMissing, saga.ID{}, "it was taken, and has no answer")
	}
	a, err := readAnswer(k.Answer)
	if err != nil {
		return problem(AnswerUnreadable, saga.ID{}, "its answer cannot be read: %v", err)
	}
	if len(a.sagas()) == 0 {
		if a.Refused == nil && !a.NotFound && !a.Revision && a.Handled == nil && a.Unhandled == nil && a.Chosen == nil {
			return problem(AnswerUnreadable, saga.ID{}, "its answer is empty")
		}
		return nil
	}
	id := a.sagas()[0]
	owner, exists := page.Sagas[id]
	switch {
	case !exists && id.Time().Before(since):
		return nil
	case !exists:
		return problem(AnswerWithoutSaga, id, "its answer names a saga that does not exist")
	case owner.Tenant != tenant:
		return problem(AnswerWithoutSaga, id, "its answer names a saga of tenant %s", owner.Tenant)
	case a.Acted != nil && owner.Revision < a.Acted.Revision:
		return problem(AnswerWithoutSaga, id, "its answer says revision %d, and the saga has %d", a.Acted.Revision, owner.Revision)
	case a.Started != nil && !a.Started.Existing && (a.Started.Saga != owner.Saga || a.Started.Key != owner.Key || id != k.ID):
		return problem(AnswerWithoutSaga, id, "its answer says %s %q, and the saga is %s %q", a.Started.Saga, a.Started.Key, owner.Saga, owner.Key)
	}
	return nil
}
