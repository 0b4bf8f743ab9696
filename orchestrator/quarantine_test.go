package orchestrator_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/kafka"
	"github.com/skaldhq/skald/orchestrator/memory"
	"github.com/skaldhq/skald/orchestrator/saga"
	"github.com/skaldhq/skald/participants/wire"
)

// codecs read records with the ring of the tests, and with one that knows an older key too. Replies are signed with that.
func codecs(t *testing.T) (narrow, wide *kafka.Codec, older *wire.Keyring) {
	t.Helper()
	k1, k0 := wire.Key{ID: "k1", Secret: []byte("0123456789abcdef0123456789abcdef")}, wire.Key{ID: "k0", Secret: []byte("an older key of the installation")}
	ring := func(keys ...wire.Key) *wire.Keyring {
		r, err := wire.NewKeyring(keys...)
		require.NoError(t, err)
		return r
	}
	return kafka.NewCodec(wire.Topics{}, "test", ring(k1)), kafka.NewCodec(wire.Topics{}, "test", ring(k1, k0)), ring(k0)
}

// answerTo is a runner's answer to the step `run` of an errand, signed with ring.
func answerTo(ring *wire.Keyring, id saga.ID, change ...func(*wire.Reply)) wire.Reply {
	command := wire.CommandID(wire.ID(id), "run", wire.Execute, 0)
	r := wire.Reply{
		ID: wire.RandomID(), Source: "/runner", Participant: "runner", Name: "Run.v1", SagaID: wire.ID(id), Step: "run", Verb: wire.Execute,
		Tenant: tenant, Attempt: 1, Time: time.Unix(1_790_000_000, 0).UTC(), CausationID: command, Outcome: wire.Succeeded, Value: []byte(`{"done":true}`),
		Token: ring.Sign(tenant, wire.ID(id), command, "runner"),
	}
	for _, c := range change {
		c(&r)
	}
	return r
}

func token(text string) func(*wire.Reply) { return func(r *wire.Reply) { r.Token = text } }

// came is a reply as a codec reads it from its topic.
func came(codec *kafka.Codec, r wire.Reply, offset int64) orchestrator.Delivery {
	rec := r.Record("skald.replies")
	msg := &sarama.ConsumerMessage{Topic: rec.Topic, Partition: 3, Offset: offset, Key: rec.Key, Value: rec.Value, Timestamp: rec.Timestamp}
	for _, h := range rec.Headers {
		msg.Headers = append(msg.Headers, &sarama.RecordHeader{Key: []byte(h.Key), Value: h.Value})
	}
	return codec.Decode(msg)
}

// quarantine sends replies that are expected in quarantine, and answers their ids in the same order.
func (b *testBundle) quarantine(deliveries ...orchestrator.Delivery) (ids []int64) {
	b.t.Helper()
	before := len(b.quarantined())
	b.broker.send(deliveries...)
	b.receive()
	b.turn()
	list := b.quarantined()
	require.Len(b.t, list, before+len(deliveries))
	for i := len(deliveries) - 1; i >= 0; i-- {
		ids = append(ids, list[i].ID)
	}
	return ids
}

func (b *testBundle) entry(id int64) orchestrator.QuarantineEntry {
	b.t.Helper()
	e, err := b.memory.QuarantineRecord(b.t.Context(), tenant, id)
	require.NoError(b.t, err)
	return e
}

func redrive(id int64) orchestrator.QuarantineRequest {
	return orchestrator.QuarantineRequest{Tenant: tenant, ID: id, Action: orchestrator.QuarantineRedrive, Reason: "mended", By: "tester", RequestID: "r-9"}
}

// handle hands a wish in and commits it.
func (b *testBundle) handle(req orchestrator.QuarantineRequest) (got orchestrator.QuarantineResult, err error) {
	b.t.Helper()
	times := 0
	if err := b.engine.OfferHandled(b.t.Context(), req, func(r orchestrator.QuarantineResult, e error) { got, err, times = r, e, times+1 }); err != nil {
		return got, err
	}
	b.turn()
	require.Equal(b.t, 1, times)
	return got, err
}

func (b *testBundle) refused(req orchestrator.QuarantineRequest, code string) *orchestrator.QuarantineRefusedError {
	b.t.Helper()
	_, err := b.handle(req)
	var refused *orchestrator.QuarantineRefusedError
	require.ErrorAs(b.t, err, &refused)
	require.Equal(b.t, code, refused.Code)
	return refused
}

// mended is a bundle with a saga whose reply is in quarantine for a key that the ring did not have, and now has.
func mended(t *testing.T) (b *testBundle, id saga.ID, record int64) {
	t.Helper()
	narrow, wide, older := codecs(t)
	b = setup(t, func(c *orchestrator.Config) { c.Decoder = wide })
	id = b.start(errand())
	record = b.quarantine(came(narrow, answerTo(older, id), 70))[0]
	e := b.entry(record)
	require.Equal(t, "bad_token", e.Reason)
	require.True(t, e.Saga.IsZero(), "nothing proves whose it is")
	require.Equal(t, "redacted", string(headerOf(e.Headers, wire.HeaderSagaToken)))
	return b, id, record
}

func headerOf(headers []orchestrator.Header, key string) []byte {
	for _, h := range headers {
		if h.Key == key {
			return h.Value
		}
	}
	return nil
}

func TestRedrive_IsJudgedAsIfItCameNow(t *testing.T) {
	t.Parallel()
	b, id, record := mended(t)
	rehearsed, decision, err := b.engine.RehearseQuarantined(t.Context(), redrive(record))
	require.NoError(t, err)
	require.Equal(t, orchestrator.QuarantineWaiting, b.entry(record).Handling.State, "a rehearsal stores nothing")
	require.Equal(t, saga.InFlight, b.saga(id).Steps[0].Status)
	require.Len(t, decision.Commands, 1)
	before := b.saga(id).Revision

	got, err := b.handle(redrive(record))
	require.NoError(t, err)
	require.Equal(t, before+1, got.Revision)
	rehearsed.Revision = got.Revision
	require.Equal(t, rehearsed, got)
	require.Equal(t, orchestrator.QuarantineApplied, got.Outcome)
	in := b.saga(id)
	require.Equal(t, saga.Succeeded, in.Steps[0].Status)
	require.JSONEq(t, `{"done":true}`, string(in.Steps[0].Output))
	require.Equal(t, saga.InFlight, in.Steps[1].Status)
	e := b.entry(record)
	require.Equal(t, orchestrator.QuarantineRedriven, e.Handling.State)
	require.Equal(t, "tester", e.Handling.By)
	require.Equal(t, 1, e.Handling.Redrives)
	require.False(t, e.Handling.Vouched, "the hash of its token shows that it is the right one")
	require.Equal(t, "bad_token", e.Reason, "why it was in quarantine stays")

	facts, err := b.memory.History(t.Context(), tenant, id, 0, 100)
	require.NoError(t, err)
	var reply *saga.Coordinates
	for _, f := range facts {
		if f.Fact.Reply != nil {
			reply = f.Fact.Reply
		}
	}
	require.Equal(t, &saga.Coordinates{Topic: "skald.replies", Partition: 3, Offset: 70}, reply, "where it came from")

	entries, err := b.memory.Audit(t.Context(), tenant, 0, 1)
	require.NoError(t, err)
	a := entries[0].Audit
	require.Equal(t, []any{"quarantine.redrive", "tester", "mended", "r-9", id, before, before + 1}, []any{a.Action, a.Actor, a.Reason, a.RequestID, a.Saga, a.Before, a.After})
	require.Equal(t, fmt.Sprintf("quarantined record %d", record), a.Target)
	require.Contains(t, string(a.Detail), `"outcome":"applied"`)
	require.NoError(t, b.memory.VerifyAudit(t.Context(), tenant))

	require.Contains(t, b.refused(redrive(record), orchestrator.QuarantineNotWaiting).Message, "redriven by tester")
	_, _, err = b.engine.RehearseQuarantined(t.Context(), redrive(record))
	require.ErrorContains(t, err, orchestrator.QuarantineNotWaiting)
}

func TestRedrive_NeedsProofOrSomebodyWhoVouches(t *testing.T) {
	t.Parallel()
	narrow, _, older := codecs(t)
	b := setup(t)
	id := b.start(errand())
	forged := b.quarantine(came(narrow, answerTo(older, id, token("k1.forged")), 1))[0]
	refused := b.refused(redrive(forged), orchestrator.QuarantineUnproven)
	require.Equal(t, []string{"redrive with vouch", "discard"}, refused.Possible)
	require.Equal(t, saga.InFlight, b.saga(id).Steps[0].Status)

	req := redrive(forged)
	req.Vouch = true
	got, err := b.handle(req)
	require.NoError(t, err)
	require.True(t, got.Vouched)
	require.Equal(t, saga.Succeeded, b.saga(id).Steps[0].Status)
	require.True(t, b.entry(forged).Handling.Vouched)
	entries, err := b.memory.Audit(t.Context(), tenant, 0, 1)
	require.NoError(t, err)
	require.Contains(t, string(entries[0].Detail), `"vouched":true`)
}

// Whoever vouches stands in for the token alone: saga, step, verb, edition and command id are checked as ever (S9).
func TestRedrive_VouchingLiftsNoOtherCheck(t *testing.T) {
	t.Parallel()
	narrow, _, older := codecs(t)
	b := setup(t)
	id := b.start(errand())
	deliveries := map[string]wire.Reply{
		"unknown_saga": answerTo(older, saga.NewID(b.machine.now, 1, 2)),
		"not_asked":    answerTo(older, id, func(r *wire.Reply) { r.Edition, r.CausationID = 3, wire.CommandID(wire.ID(id), "run", wire.Execute, 3) }),
		"mismatch":     answerTo(older, id, func(r *wire.Reply) { r.CausationID = wire.RandomID() }),
		"no_outcome":   answerTo(older, id, func(r *wire.Reply) { r.Outcome = "" }),
		"unreadable":   answerTo(older, id, func(r *wire.Reply) { r.Value = []byte("{") }),
	}
	offset := int64(0)
	for reason, r := range deliveries {
		offset++
		req := redrive(b.quarantine(came(narrow, r, offset))[0])
		req.Vouch = true
		rehearsed, decision, err := b.engine.RehearseQuarantined(t.Context(), req)
		require.NoError(t, err, reason)
		require.Nil(t, decision, reason)
		got, err := b.handle(req)
		require.NoError(t, err, reason)
		require.Equal(t, rehearsed, got, reason)
		require.Equal(t, orchestrator.QuarantineAgain, got.Outcome, reason)
		require.Equal(t, reason, got.Cause.Reason)
		e := b.entry(req.ID)
		require.Equal(t, reason, e.Reason, "its cause is as it is now")
		require.Equal(t, orchestrator.Fingerprint(e.Reason, e.Message, e.Topic), e.Fingerprint)
		require.Equal(t, orchestrator.QuarantineWaiting, e.Handling.State)
		require.Equal(t, 1, e.Handling.Redrives)
	}
	require.Equal(t, saga.InFlight, b.saga(id).Steps[0].Status)
	require.Equal(t, int64(1), b.saga(id).Revision)
}

func TestRedrive_NobodyVouchesForAnotherTenant(t *testing.T) {
	t.Parallel()
	narrow, _, older := codecs(t)
	b := setup(t)
	id := b.start(errand())
	req := redrive(b.quarantine(came(narrow, answerTo(older, id, func(r *wire.Reply) { r.Tenant = "acme" }), 1))[0])
	req.Vouch = true
	b.refused(req, orchestrator.QuarantineOtherTenants)
	req.Tenant = "acme"
	_, err := b.handle(req)
	require.ErrorIs(t, err, orchestrator.ErrNotFound, "a record of nobody is the operator's")
}

func TestRedrive_WithoutATokenAtAll(t *testing.T) {
	t.Parallel()
	narrow, _, older := codecs(t)
	b := setup(t)
	id := b.start(errand())
	req := redrive(b.quarantine(came(narrow, answerTo(older, id, token("")), 1))[0])
	b.refused(req, orchestrator.QuarantineUnproven)
	req.Vouch = true
	got, err := b.handle(req)
	require.NoError(t, err)
	require.Equal(t, orchestrator.QuarantineApplied, got.Outcome)
}

func TestRedrive_WhatIsAnsweredAlreadyChangesNothing(t *testing.T) {
	t.Parallel()
	b, id, record := mended(t)
	b.broker.send(reply(id, "run", saga.ReplySucceeded))
	b.receive()
	b.turn()
	require.Equal(t, saga.Succeeded, b.saga(id).Steps[0].Status)
	got, err := b.handle(redrive(record))
	require.NoError(t, err)
	require.Equal(t, orchestrator.QuarantineIgnored, got.Outcome)
	require.Equal(t, orchestrator.QuarantineRedriven, b.entry(record).Handling.State)
	require.Equal(t, saga.InFlight, b.saga(id).Steps[1].Status)
}

func TestRedrive_ADefinitionThatIsBack(t *testing.T) {
	t.Parallel()
	_, wide, older := codecs(t)
	rows := &countedDefinitions{}
	b := setup(t, func(c *orchestrator.Config) {
		rows.Definitions = c.Definitions
		c.Definitions, c.Decoder = rows, wide
	})
	id := b.start(errand())
	rows.lost = "errand"
	b.engine.Forget(tenant, "errand", 1)
	record := b.quarantine(came(wide, answerTo(older, id), 1))[0]
	require.Equal(t, "definition_missing", b.entry(record).Reason)
	require.Equal(t, id, b.entry(record).Saga, "its token proved it when it came")
	rehearsed, _, err := b.engine.RehearseQuarantined(t.Context(), redrive(record))
	require.NoError(t, err)
	require.Equal(t, "definition_missing", rehearsed.Cause.Reason)
	got, err := b.handle(redrive(record))
	require.NoError(t, err)
	require.Equal(t, "definition_missing", got.Cause.Reason)
	rows.lost = ""
	got, err = b.handle(redrive(record))
	require.NoError(t, err)
	require.Equal(t, orchestrator.QuarantineApplied, got.Outcome)
	require.Equal(t, 2, b.entry(record).Handling.Redrives)
}

func TestRedrive_BytesBeyondTheQuota(t *testing.T) {
	t.Parallel()
	narrow, _, older := codecs(t)
	b := setup(t)
	small := memory.New(memory.Config{Now: b.machine.Now, QuarantineBytes: 1})
	b.memory, b.store.Store = small, small
	b.engine = b.replica()
	id := b.start(errand())
	record := b.quarantine(came(narrow, answerTo(older, id), 1))[0]
	refused := b.refused(redrive(record), orchestrator.QuarantineNotKept)
	require.Equal(t, []string{"discard"}, refused.Possible)
	req := redrive(record)
	req.Action = orchestrator.QuarantineDiscard
	_, err := b.handle(req)
	require.NoError(t, err)
	require.Equal(t, orchestrator.QuarantineDiscarded, b.entry(record).Handling.State)
}

func TestRedrive_ContentThatCannotBeStored(t *testing.T) {
	t.Parallel()
	b, id, record := mended(t)
	b.store.commit = func(batch orchestrator.Batch) error {
		for _, w := range batch.Writes {
			if w.Next.ID == id {
				return fmt.Errorf("%w: an odd character", orchestrator.ErrData)
			}
		}
		return nil
	}
	got, err := b.handle(redrive(record))
	require.NoError(t, err)
	require.Equal(t, orchestrator.QuarantineAgain, got.Outcome)
	require.Equal(t, "poison", b.entry(record).Reason)
	require.Equal(t, saga.Running, b.saga(id).Status, "its saga goes on")
	b.store.commit = nil
	got, err = b.handle(redrive(record))
	require.NoError(t, err)
	require.Equal(t, orchestrator.QuarantineApplied, got.Outcome)

	other := b.quarantine(orchestrator.Delivery{Poison: &orchestrator.Quarantined{Topic: "skald.replies", Offset: 99, Reason: "unreadable"}})[0]
	req := redrive(other)
	req.Action, req.Reason = orchestrator.QuarantineDiscard, "\xff"
	_, err = b.handle(req)
	var wrong *orchestrator.InputError
	require.ErrorAs(t, err, &wrong)
	require.Equal(t, orchestrator.QuarantineWaiting, b.entry(other).Handling.State)
}

// A commit that answers nothing is run again: what it did is found by the request's attempt.
func TestRedrive_CommitInDoubtIsDoneOnce(t *testing.T) {
	t.Parallel()
	b, _, _ := mended(t)
	narrow, _, older := codecs(t)
	record := b.quarantine(came(narrow, answerTo(older, saga.NewID(b.machine.now, 1, 2)), 8))[0]
	times := 0
	b.store.committed = func(batch orchestrator.Batch) error {
		if len(batch.Handled) > 0 && times == 0 {
			times++
			return fmt.Errorf("commit: %w", orchestrator.ErrUnknown)
		}
		return nil
	}
	got, err := b.handle(redrive(record))
	require.NoError(t, err)
	require.Equal(t, 1, times)
	require.Equal(t, orchestrator.QuarantineAgain, got.Outcome)
	require.Equal(t, 1, b.entry(record).Handling.Redrives)
	entries, err := b.memory.Audit(t.Context(), tenant, 0, 10)
	require.NoError(t, err)
	n := 0
	for _, e := range entries {
		if e.Action == "quarantine.redrive" {
			n++
		}
	}
	require.Equal(t, 1, n, "one action, one audit row")
}

func TestRedrive_ALockedSagaOrRecordWaits(t *testing.T) {
	t.Parallel()
	type hold func(tx orchestrator.Tx, id saga.ID, record int64) error
	for name, lock := range map[string]hold{
		"saga": func(tx orchestrator.Tx, id saga.ID, _ int64) error { return tx.Load(t.Context(), []saga.ID{id}) },
		"record": func(tx orchestrator.Tx, _ saga.ID, record int64) error {
			_, err := tx.LockQuarantined(t.Context(), []int64{record})
			return err
		},
	} {
		for _, key := range []string{"", "k-1"} {
			b, id, record := mended(t)
			tx, err := b.memory.Begin(t.Context(), orchestrator.Need{})
			require.NoError(t, err)
			require.NoError(t, lock(tx, id, record))
			answered := 0
			req := redrive(record)
			req.IdempotencyKey = key
			require.NoError(t, b.engine.OfferHandled(t.Context(), req, func(_ orchestrator.QuarantineResult, err error) {
				require.NoError(t, err)
				answered++
			}))
			b.turn()
			require.Zero(t, answered, name)
			require.Equal(t, 1, b.engine.Later(), name)
			tx.Rollback(t.Context())
			b.turn()
			require.Equal(t, 1, answered, name)
			require.Equal(t, orchestrator.QuarantineRedriven, b.entry(record).Handling.State)
		}
	}
}

func TestRedrive_IdempotencyKey(t *testing.T) {
	t.Parallel()
	b, id, record := mended(t)
	req := redrive(record)
	req.IdempotencyKey = "k-1"
	first, err := b.handle(req)
	require.NoError(t, err)
	req.By, req.RequestID = "somebody else", "r-10"
	again, err := b.handle(req)
	require.NoError(t, err)
	require.True(t, again.Replayed)
	again.Replayed = false
	require.Equal(t, first, again)
	require.Equal(t, int64(2), b.saga(id).Revision)
	req.Reason = "another wish"
	_, err = b.handle(req)
	require.ErrorIs(t, err, orchestrator.ErrIdempotency)
	req.IdempotencyKey = "k-2"
	b.refused(req, orchestrator.QuarantineNotWaiting)
	b.refused(req, orchestrator.QuarantineNotWaiting)
}

func TestRedrive_SaysAllThatIsWrong(t *testing.T) {
	t.Parallel()
	b, _, record := mended(t)
	_, err := b.handle(orchestrator.QuarantineRequest{Tenant: tenant, ID: record, Action: "burn", Reason: " "})
	var wrong *orchestrator.InputError
	require.ErrorAs(t, err, &wrong)
	require.Len(t, wrong.Fields, 2)
	_, err = b.handle(redrive(record + 1))
	require.ErrorIs(t, err, orchestrator.ErrNotFound)
	for _, limit := range []int{0, orchestrator.QuarantineManyMax + 1} {
		_, err = b.engine.HandleManyQuarantined(t.Context(), orchestrator.QuarantineManyRequest{Action: orchestrator.QuarantineDiscard, Reason: "r", Limit: limit})
		require.ErrorAs(t, err, &wrong)
	}
}

func TestFingerprint_IsThatOfTheCause(t *testing.T) {
	t.Parallel()
	base := orchestrator.Fingerprint("mismatch", `ce_causationid is 0197a1b2-0000-7000-8000-0123456789ab, "x" at 12`, "skald.replies")
	require.Len(t, base, 16)
	same := []string{
		`ce_causationid is 0197ffff-1111-7222-8333-abcdefabcdef, "something \" else" at 7`,
		`ce_causationid is 00000000-0000-0000-0000-000000000000, "" at 123456`,
	}
	for _, message := range same {
		require.Equal(t, base, orchestrator.Fingerprint("mismatch", message, "skald.replies"), message)
	}
	for _, other := range [][3]string{
		{"not_asked", `ce_causationid is 0, "x" at 12`, "skald.replies"},
		{"mismatch", `ce_causationid is 0, "x" at 12`, "other.replies"},
		{"mismatch", `ce_subject is 0, "x" at 12`, "skald.replies"},
	} {
		require.NotEqual(t, base, orchestrator.Fingerprint(other[0], other[1], other[2]))
	}
	require.Equal(t, "8952a896ac2f8dbe", orchestrator.Fingerprint("poison", `invalid byte sequence for encoding "UTF8": 0x00 (SQLSTATE 22021), step-2 of v1`, "t"), "it is stored: it must not change")
	require.NotEmpty(t, orchestrator.Fingerprint("", `"open`+strings.Repeat(`\`, 3), ""))
}
