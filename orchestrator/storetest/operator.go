package storetest

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/internal/stored"
	"github.com/skaldhq/skald/orchestrator/saga"
)

func (s *suite) poison(tenant string, offset int64) orchestrator.Quarantined {
	return orchestrator.Quarantined{
		Reason:    "unreadable",
		Message:   "no outcome",
		Topic:     "skald.replies",
		Partition: 2,
		Offset:    offset,
		Timestamp: time.UnixMilli(1790000000123).UTC(),
		Key:       []byte{0xff, 0},
		Value:     []byte("\x00not json\xff"),
		Headers:   []orchestrator.Header{{Key: "ce_id", Value: []byte{0, 1}}, {Key: "none"}},
		Saga:      s.id(3),
		Tenant:    tenant,

		TokenSHA256: bytes.Repeat([]byte{9}, 32),
	}
}

func (s *suite) quarantined(records ...orchestrator.Quarantined) []orchestrator.QuarantineEntry {
	s.Helper()
	require.NoError(s, s.commit(orchestrator.Batch{ID: s.batchID(), Quarantine: records}))
	entries, err := s.Store.Quarantine(s.ctx, orchestrator.QuarantineQuery{Tenant: tenant, Limit: 100})
	require.NoError(s, err)
	for i := range entries { // the list is without bytes
		entries[i], err = s.Store.QuarantineRecord(s.ctx, tenant, entries[i].ID)
		require.NoError(s, err)
	}
	return entries
}

func quarantineByteForByte(s *suite) {
	a, b := s.poison(tenant, 1), s.poison(tenant, 2)
	b.Saga, b.Key, b.Value, b.Headers, b.TokenSHA256 = saga.ID{}, nil, nil, nil, nil
	entries := s.quarantined(a, b)
	require.Len(s, entries, 2)
	equal(s, b, entries[0].Quarantined)
	require.Nil(s, entries[0].Value, "a tombstone has no value, which is not an empty one")
	equal(s, a, entries[1].Quarantined)
	require.Equal(s, sha256.Sum256(a.Value), entries[1].SHA256)
	require.Equal(s, len(a.Value), entries[1].Bytes)
	require.WithinDuration(s, time.Now(), entries[1].At, time.Minute)

	page, err := s.Store.Quarantine(s.ctx, orchestrator.QuarantineQuery{Tenant: tenant, Before: entries[0].ID, Limit: 10})
	require.NoError(s, err)
	require.Len(s, page, 1)
	require.Equal(s, entries[1].ID, page[0].ID)
	page, err = s.Store.Quarantine(s.ctx, orchestrator.QuarantineQuery{Tenant: tenant, Limit: 1})
	require.NoError(s, err)
	require.Len(s, page, 1)
}

// A record is read again when its offset was not committed in time.
func quarantineOnceEach(s *suite) {
	a := s.poison(tenant, 1)
	require.Len(s, s.quarantined(a), 1)
	require.Len(s, s.quarantined(a, s.poison(tenant, 2)), 2)
	a.Timestamp = a.Timestamp.Add(time.Hour)
	require.Len(s, s.quarantined(a), 3, "the topic was made anew: another record at the same place")
}

func quarantineQuota(s *suite) {
	big := func(offset int64, n int) orchestrator.Quarantined {
		q := s.poison(tenant, offset)
		q.Key, q.Headers, q.Value = nil, nil, bytes.Repeat([]byte{7}, n)
		return q
	}
	first, second, third := big(1, QuarantineBytes-10), big(2, 11), big(3, 5)
	entries := s.quarantined(first, second)
	require.Len(s, entries, 2)
	require.Len(s, entries[1].Value, QuarantineBytes-10)
	require.Nil(s, entries[0].Value, "beyond the quota no bytes are kept")
	require.False(s, entries[0].Kept)
	require.True(s, entries[1].Kept)
	require.Equal(s, sha256.Sum256(second.Value), entries[0].SHA256)
	require.Equal(s, 11, entries[0].Bytes)
	require.Equal(s, int64(2), entries[0].Offset)
	require.Nil(s, s.quarantined(third)[0].Value, "the hour's quota is used up")
	s.Age(s, time.Hour)
	require.Len(s, s.quarantined(big(4, 5))[0].Value, 5, "the next hour has its own")
}

// S23; a record that nobody can be told to own is the operator's.
func quarantineTenants(s *suite) {
	s.quarantined(s.poison(tenant, 1), s.poison("other", 2), s.poison("", 3))
	offsets := func(tenant string) []int64 {
		entries, err := s.Store.Quarantine(s.ctx, orchestrator.QuarantineQuery{Tenant: tenant, Limit: 10})
		require.NoError(s, err)
		var out []int64
		for _, e := range entries {
			out = append(out, e.Offset)
		}
		return out
	}
	require.Equal(s, []int64{3, 1}, offsets(stored.TenantDefault))
	require.Equal(s, []int64{2}, offsets("other"))
	require.Empty(s, offsets("third"))
}

func auditChain(s *suite) {
	for _, actions := range [][]string{{"pause", "resume"}, {"cancel"}} {
		b := orchestrator.Batch{ID: s.batchID()}
		for _, action := range actions {
			b.Audit = append(b.Audit, audit(tenant, action), audit("other", action))
		}
		require.NoError(s, s.commit(b))
	}
	entries, err := s.Store.Audit(s.ctx, tenant, 0, 10)
	require.NoError(s, err)
	require.Len(s, entries, 3)
	for i, want := range []string{"cancel", "resume", "pause"} {
		require.Equal(s, want, entries[i].Action)
		require.Equal(s, int64(3-i), entries[i].Seq, "dense per tenant")
		equal(s, audit(tenant, want), entries[i].Audit)
		require.WithinDuration(s, time.Now(), entries[i].At, time.Minute)
	}
	require.NotEqual(s, entries[0].Hash, entries[1].Hash)
	require.NoError(s, s.Store.VerifyAudit(s.ctx, tenant))
	require.NoError(s, s.Store.VerifyAudit(s.ctx, "other"))
	require.NoError(s, s.Store.VerifyAudit(s.ctx, "nobody"))

	first := entries[2]
	entry, err := stored.EncodeAudit(first.Audit, first.At)
	require.NoError(s, err)
	require.Equal(s, stored.ChainAudit([32]byte{}, entry), first.Hash, "anybody can compute the chain from what is listed")
	entry, err = stored.EncodeAudit(entries[1].Audit, entries[1].At)
	require.NoError(s, err)
	require.Equal(s, stored.ChainAudit(first.Hash, entry), entries[1].Hash)

	page, err := s.Store.Audit(s.ctx, tenant, 3, 1)
	require.NoError(s, err)
	require.Len(s, page, 1)
	require.Equal(s, "resume", page[0].Action)
}

func auditWithItsEffectOnly(s *suite) {
	b := s.batch(next(s.instance(), 1))
	b.Audit = []orchestrator.Audit{audit(tenant, "pause")}
	require.ErrorIs(s, s.commit(b), orchestrator.ErrConflict)
	entries, err := s.Store.Audit(s.ctx, tenant, 0, 10)
	require.NoError(s, err)
	require.Empty(s, entries)
}

func holdsInForceAndRecent(s *suite) {
	hold := orchestrator.Hold{
		Tenant: tenant, Scope: orchestrator.HoldParticipant, Name: "inventory", Version: 0, Reason: "stocktaking", Kind: orchestrator.HoldOperator, By: "ada",
	}
	id, err := s.Store.PutHold(s.ctx, hold, audit(tenant, "hold"))
	require.NoError(s, err)
	tx := s.begin()
	require.Len(s, tx.Holds(), 1)
	got := tx.Holds()[0]
	require.False(s, got.From.IsZero())
	require.False(s, got.From.After(tx.At()))
	hold.From = got.From
	equal(s, hold, got)

	require.NoError(s, s.Store.EndHold(s.ctx, tenant, id, 0, audit(tenant, "unhold")))
	tx = s.begin()
	require.Len(s, tx.Holds(), 1, "timers shift by a hold that ended lately")
	require.False(s, tx.Holds()[0].To.IsZero())
	s.Age(s, 31*24*time.Hour)
	require.Empty(s, s.begin().Holds())
	entries, err := s.Store.Audit(s.ctx, tenant, 0, 10)
	require.NoError(s, err)
	require.Len(s, entries, 2)
}

func holdsEndedOnceByItsTenant(s *suite) {
	id, err := s.Store.PutHold(s.ctx, orchestrator.Hold{Tenant: tenant, Scope: orchestrator.HoldTenant}, audit(tenant, "hold"))
	require.NoError(s, err)
	listed, err := s.Store.Holds(s.ctx, tenant)
	require.NoError(s, err)
	require.Len(s, listed, 1)
	require.Equal(s, id, listed[0].ID)
	listed, err = s.Store.Holds(s.ctx, "other")
	require.NoError(s, err)
	require.Empty(s, listed)
	require.ErrorIs(s, s.Store.EndHold(s.ctx, "other", id, 0, audit("other", "unhold")), orchestrator.ErrNotFound)
	require.NoError(s, s.Store.EndHold(s.ctx, tenant, id, 0, audit(tenant, "unhold")))
	require.ErrorIs(s, s.Store.EndHold(s.ctx, tenant, id, 0, audit(tenant, "unhold")), orchestrator.ErrNotFound)
	listed, err = s.Store.Holds(s.ctx, tenant)
	require.NoError(s, err)
	require.Empty(s, listed, "only those in force")
}

func definition(name string, version int, state orchestrator.DefinitionState, content string) orchestrator.DefinitionRow {
	return orchestrator.DefinitionRow{
		Tenant:  tenant,
		Name:    name,
		Version: version,
		State:   state,
		Hash:    sha256.Sum256([]byte(content)),
		Content: json.RawMessage(content),
		Source:  []byte("saga: " + name + "\n\x00"),
	}
}

func (s *suite) put(row orchestrator.DefinitionRow) {
	s.Helper()
	created, err := s.Store.PutDefinition(s.ctx, row, audit(row.Tenant, "register"))
	require.NoError(s, err)
	require.True(s, created)
}

func definitionsPutAndRead(s *suite) {
	row := definition("order", 1, orchestrator.DefinitionInactive, `{ "a":1e400,"a":"\u0000"}`)
	s.put(row)
	got, err := s.Store.Definition(s.ctx, tenant, "order", 1)
	require.NoError(s, err)
	require.WithinDuration(s, time.Now(), got.CreatedAt, time.Minute)
	row.CreatedAt = got.CreatedAt
	equal(s, row, got)
	_, err = s.Store.Definition(s.ctx, tenant, "order", 2)
	require.ErrorIs(s, err, orchestrator.ErrNotFound)
	entries, err := s.Store.Audit(s.ctx, tenant, 0, 10)
	require.NoError(s, err)
	require.Len(s, entries, 1)
}

func definitionsSameVersionOtherContent(s *suite) {
	row := definition("order", 1, orchestrator.DefinitionActive, `{"a":1}`)
	s.put(row)
	created, err := s.Store.PutDefinition(s.ctx, row, audit(tenant, "register"))
	require.NoError(s, err)
	require.False(s, created, "the same content is a no-op")
	row = definition("order", 1, orchestrator.DefinitionActive, `{"a":2}`)
	_, err = s.Store.PutDefinition(s.ctx, row, audit(tenant, "register"))
	require.ErrorIs(s, err, orchestrator.ErrConflict)
	entries, err := s.Store.Audit(s.ctx, tenant, 0, 10)
	require.NoError(s, err)
	require.Len(s, entries, 1, "only what had an effect")
}

func definitionsHighestActive(s *suite) {
	_, err := s.Store.Definition(s.ctx, tenant, "order", 0)
	require.ErrorIs(s, err, orchestrator.ErrNotFound)
	for version, state := range []orchestrator.DefinitionState{0: "", 1: orchestrator.DefinitionActive, 2: orchestrator.DefinitionActive, 10: orchestrator.DefinitionInactive} {
		if state != "" {
			s.put(definition("order", version, state, `{}`))
		}
	}
	active := func(want int) {
		s.Helper()
		row, err := s.Store.Definition(s.ctx, tenant, "order", 0)
		require.NoError(s, err)
		require.Equal(s, want, row.Version)
	}
	set := func(version int, state orchestrator.DefinitionState) {
		s.Helper()
		require.NoError(s, s.Store.SetDefinitionState(s.ctx, tenant, "order", version, state, audit(tenant, string(state))))
	}
	active(2)
	set(10, orchestrator.DefinitionActive)
	active(10)
	set(10, orchestrator.DefinitionRetired)
	active(2)
	set(2, orchestrator.DefinitionRetired)
	set(1, orchestrator.DefinitionRetired)
	_, err = s.Store.Definition(s.ctx, tenant, "order", 0)
	require.ErrorIs(s, err, orchestrator.ErrNotFound)
	row, err := s.Store.Definition(s.ctx, tenant, "order", 2)
	require.NoError(s, err, "live sagas go on with it")
	require.Equal(s, orchestrator.DefinitionRetired, row.State)
	err = s.Store.SetDefinitionState(s.ctx, tenant, "order", 3, orchestrator.DefinitionActive, audit(tenant, "activate"))
	require.ErrorIs(s, err, orchestrator.ErrNotFound)
	entries, err := s.Store.Audit(s.ctx, tenant, 0, 100)
	require.NoError(s, err)
	require.Len(s, entries, 7)
}

func definitionsListAndTenants(s *suite) {
	s.put(definition("refund", 1, orchestrator.DefinitionActive, `{}`))
	s.put(definition("order", 2, orchestrator.DefinitionActive, `{}`))
	s.put(definition("order", 10, orchestrator.DefinitionActive, `{}`))
	theirs := definition("order", 2, orchestrator.DefinitionActive, `{"theirs":1}`)
	theirs.Tenant = "other"
	s.put(theirs)
	list := func(tenant, name string) (out []string) {
		rows, err := s.Store.ListDefinitions(s.ctx, tenant, name)
		require.NoError(s, err)
		for _, r := range rows {
			out = append(out, r.Name+string(r.Content)+string(rune('0'+r.Version%10)))
		}
		return out
	}
	require.Equal(s, []string{"order{}0", "order{}2", "refund{}1"}, list(tenant, ""))
	require.Equal(s, []string{"order{}0", "order{}2"}, list(tenant, "order"))
	require.Equal(s, []string{`order{"theirs":1}2`}, list("other", ""))
	_, err := s.Store.Definition(s.ctx, "other", "refund", 1)
	require.ErrorIs(s, err, orchestrator.ErrNotFound)
	err = s.Store.SetDefinitionState(s.ctx, "other", "refund", 1, orchestrator.DefinitionRetired, audit("other", "retire"))
	require.ErrorIs(s, err, orchestrator.ErrNotFound)
}

func (s *suite) maintain() orchestrator.Maintained {
	s.Helper()
	done, err := s.Store.Maintain(s.ctx)
	require.NoError(s, err)
	require.True(s, done.Ran)
	return done
}

func maintainRemovesExpiredKeys(s *suite) {
	k, b := s.idempotency("k", 1), s.business("A-1", 1)
	s.claim(b, k)
	require.Zero(s, s.maintain().KeysRemoved)
	s.Age(s, 7*24*time.Hour-time.Minute)
	require.Zero(s, s.maintain().KeysRemoved, "kept 7 days")
	s.Age(s, 2*time.Minute)
	require.Equal(s, 1, s.maintain().KeysRemoved)
	require.True(s, s.claim(s.idempotency("k", 2))[0].Won)
	require.False(s, s.claim(s.business("A-1", 2))[0].Won, "business keys do not expire")
}

func maintainRemovesOldReceipts(s *suite) {
	in := s.instance()
	b := s.store(in)
	require.NoError(s, s.Store.Settle(s.ctx, []orchestrator.Settled{{Batch: b.ID, Acked: acked(s.now(), 0)}}))
	require.Zero(s, s.maintain().ReceiptsRemoved)
	s.Age(s, 91*24*time.Hour)
	require.Equal(s, 1, s.maintain().ReceiptsRemoved)
	entries, err := s.Store.History(s.ctx, tenant, in.ID, 0, 10)
	require.NoError(s, err)
	require.Nil(s, entries[1].Receipt)
}

func maintainRemovesWhatWasHandled(s *suite) {
	entries := s.quarantined(s.poison(tenant, 1), s.poison(tenant, 2))
	s.handled(orchestrator.QuarantineHandled{ID: entries[0].ID, Handling: s.handling(orchestrator.QuarantineDiscarded)})
	ended := s.putOperation("ended")
	_, err := s.Store.ChangeOperation(s.ctx, tenant, ended.ID, orchestrator.OperationCancel, s.auditOf("operation.cancel"))
	require.NoError(s, err)
	live := s.putOperation("live")
	none := func(why string) {
		s.Helper()
		done := s.maintain()
		require.Zero(s, done.QuarantineRemoved+done.OperationsRemoved, why)
	}
	none("nothing is that old")
	s.Age(s, 30*24*time.Hour-time.Minute)
	none("kept 30 days")
	s.Age(s, 2*time.Minute)
	done := s.maintain()
	require.Equal(s, 1, done.QuarantineRemoved)
	require.Equal(s, 1, done.OperationsRemoved)
	list, err := s.Store.Quarantine(s.ctx, orchestrator.QuarantineQuery{Tenant: tenant, Limit: 10})
	require.NoError(s, err)
	require.Len(s, list, 1, "what waits for a person stays for ever")
	require.Equal(s, entries[1].ID, list[0].ID)
	_, err = s.Store.Operation(s.ctx, tenant, ended.ID)
	require.ErrorIs(s, err, orchestrator.ErrNotFound)
	require.Equal(s, live.ID, s.readOperation(live.ID).ID, "it has not ended")
	none("once is enough")
	s.quarantined(s.poison(tenant, 1)) // read again, it is another row
}

func maintainSaysHowFarAhead(s *suite) {
	done := s.maintain()
	require.True(s, done.PartitionsUntil.After(time.Now().Add(27*24*time.Hour)), "four weeks ahead, at least 27 days: %s", done.PartitionsUntil)
}
