package storetest

import (
	"encoding/json"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
)

func (s *suite) business(key string, hash byte) orchestrator.Claim {
	return orchestrator.Claim{Kind: orchestrator.ClaimBusinessKey, Tenant: tenant, Saga: "order", Key: key, ID: s.id(7), Hash: [32]byte{hash}}
}

func (s *suite) idempotency(key string, hash byte) orchestrator.Claim {
	return orchestrator.Claim{Kind: orchestrator.ClaimIdempotencyKey, Tenant: tenant, Key: key, ID: s.id(7), Hash: [32]byte{hash}}
}

// claim claims in a transaction of its own and commits it.
func (s *suite) claim(claims ...orchestrator.Claim) []orchestrator.Claimed {
	s.Helper()
	tx := s.beginNeed(orchestrator.Need{Claims: claims})
	require.NoError(s, tx.Commit(s.ctx, orchestrator.Batch{ID: s.batchID()}))
	var out []orchestrator.Claimed
	for i := range claims {
		out = append(out, tx.Claimed(i))
	}
	return out
}

func claimsBusinessKey(s *suite) {
	first, second, other := s.business("A-1", 1), s.business("A-1", 2), s.business("A-2", 3)
	equal(s, []orchestrator.Claimed{{Won: true}}, s.claim(first))
	equal(s, []orchestrator.Claimed{{ID: first.ID, Hash: first.Hash}, {Won: true}}, s.claim(second, other))
}

// S2: the same key and body is the same saga; another body is told apart by its hash.
func claimsIdempotencyKey(s *suite) {
	first := s.idempotency("k", 1)
	equal(s, []orchestrator.Claimed{{Won: true}}, s.claim(first))
	equal(s, []orchestrator.Claimed{{ID: first.ID, Hash: first.Hash}}, s.claim(s.idempotency("k", 2)), "no answer yet")

	answered := s.idempotency("k2", 4)
	answer := json.RawMessage(`{ "id": 1e400, "id": "\u0000" }`)
	tx := s.beginNeed(orchestrator.Need{Claims: []orchestrator.Claim{answered}})
	require.NoError(s, tx.Commit(s.ctx, orchestrator.Batch{ID: s.batchID(), Answers: []orchestrator.Answer{{Tenant: tenant, Key: "k2", Body: answer}}}))
	equal(s, []orchestrator.Claimed{{ID: answered.ID, Hash: answered.Hash, Answer: answer}}, s.claim(s.idempotency("k2", 9)))
}

// Two requests of one batch may bring the same key; the first has it.
func claimsTwiceInOneTransaction(s *suite) {
	a, b := s.business("A-1", 1), s.business("A-1", 2)
	k, l := s.idempotency("k", 3), s.idempotency("k", 3)
	l.ID = k.ID
	equal(s, []orchestrator.Claimed{
		{Won: true},
		{ID: a.ID, Hash: a.Hash},
		{Won: true},
		{ID: k.ID, Hash: k.Hash},
	}, s.claim(a, b, k, l))
}

func claimsHeldByAnOpenTransaction(s *suite) {
	in := s.instance()
	s.store(in)
	open := s.beginNeed(orchestrator.Need{Claims: []orchestrator.Claim{s.business("A-1", 1)}})
	for _, claim := range []orchestrator.Claim{s.business("A-1", 2), s.business("A-1", 1)} {
		_, err := s.Store.Begin(s.ctx, orchestrator.Need{Sagas: []saga.ID{in.ID}, Claims: []orchestrator.Claim{claim}})
		require.ErrorIs(s, err, orchestrator.ErrClaimTimeout)
	}
	require.Equal(s, orchestrator.RowLoaded, s.row(in.ID).State, "the refused transaction holds nothing")
	require.Equal(s, []orchestrator.Claimed{{Won: true}}, s.claim(s.business("A-2", 1)), "nor do other keys wait")
	open.Rollback(s.ctx)
	require.True(s, s.claim(s.business("A-1", 2))[0].Won)
}

func claimsRolledBack(s *suite) {
	tx := s.beginNeed(orchestrator.Need{Claims: []orchestrator.Claim{s.business("A-1", 1), s.idempotency("k", 1)}})
	require.True(s, tx.Claimed(0).Won)
	tx.Rollback(s.ctx)
	equal(s, []orchestrator.Claimed{{Won: true}, {Won: true}}, s.claim(s.business("A-1", 2), s.idempotency("k", 2)))
}

// S23.
func claimsTenantsDoNotMeet(s *suite) {
	a, k := s.business("A-1", 1), s.idempotency("k", 1)
	s.claim(a, k)
	a.Tenant, k.Tenant = "other", "other"
	equal(s, []orchestrator.Claimed{{Won: true}, {Won: true}}, s.claim(a, k))
	b := s.business("A-1", 1)
	b.Saga = "refund"
	require.True(s, s.claim(b)[0].Won, "a key belongs to a saga's type")
}

func claimsBadKey(s *suite) {
	for _, key := range []string{"a\x00", "a\xff"} {
		_, err := s.Store.Begin(s.ctx, orchestrator.Need{Claims: []orchestrator.Claim{s.business(key, 1)}})
		require.ErrorIs(s, err, orchestrator.ErrData)
		_, err = s.Store.Begin(s.ctx, orchestrator.Need{Claims: []orchestrator.Claim{s.idempotency(key, 1)}})
		require.ErrorIs(s, err, orchestrator.ErrData)
	}
}

func rekeyGivesTheKeyOn(s *suite) {
	old := s.business("A-1", 1)
	s.claim(old)
	later := s.id(7)
	rekey := orchestrator.Rekey{Tenant: tenant, Saga: "order", Key: "A-1", From: old.ID, To: later, Hash: [32]byte{2}}
	require.NoError(s, s.commit(orchestrator.Batch{ID: s.batchID(), Rekeys: []orchestrator.Rekey{rekey}}))
	equal(s, []orchestrator.Claimed{{ID: later, Hash: [32]byte{2}}}, s.claim(s.business("A-1", 3)))

	in := s.instance()
	b := s.batch(in)
	b.Rekeys = []orchestrator.Rekey{rekey}
	require.ErrorIs(s, s.commit(b), orchestrator.ErrConflict, "it is not the old saga's any more")
	require.Equal(s, orchestrator.RowMissing, s.row(in.ID).State)
	rekey.From, rekey.Tenant = later, "other"
	b.Rekeys = []orchestrator.Rekey{rekey}
	require.ErrorIs(s, s.commit(b), orchestrator.ErrConflict, "nor another tenant's")
}

func answerNeedsAKeyWonHere(s *suite) {
	s.claim(s.idempotency("k", 1))
	b := orchestrator.Batch{ID: s.batchID(), Answers: []orchestrator.Answer{{Tenant: tenant, Key: "none", Body: json.RawMessage(`1`)}}}
	require.ErrorIs(s, s.commit(b), orchestrator.ErrConflict)
}
