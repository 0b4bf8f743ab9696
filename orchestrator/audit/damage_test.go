package audit_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/audit"
	"github.com/skaldhq/skald/orchestrator/internal/stored"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// wreck damages a database that an engine has written.
type wreck struct {
	t    *testing.T
	conn *pgx.Conn
}

// exec runs a statement that must change exactly one row.
func (w *wreck) exec(sql string, args ...any) {
	w.t.Helper()
	tag, err := w.conn.Exec(context.Background(), sql, args...)
	require.NoError(w.t, err)
	require.EqualValues(w.t, 1, tag.RowsAffected(), sql)
}

// instance changes the stored bytes of a saga.
func (w *wreck) instance(id saga.ID, change func(*saga.Instance)) {
	w.t.Helper()
	var b []byte
	require.NoError(w.t, w.conn.QueryRow(context.Background(), `SELECT instance FROM skald.sagas WHERE id = $1`, id.String()).Scan(&b))
	in, err := saga.DecodeInstance(b)
	require.NoError(w.t, err)
	change(&in)
	b, err = saga.EncodeInstance(in)
	require.NoError(w.t, err)
	w.exec(`UPDATE skald.sagas SET instance = $2 WHERE id = $1`, id.String(), b)
}

// spread stores the history of a saga with a row for each fact, which says the same.
func (w *wreck) spread(id saga.ID) {
	w.t.Helper()
	rows, err := w.conn.Query(context.Background(), `SELECT shard, batch, facts FROM skald.history WHERE saga_id = $1 ORDER BY seq`, id.String())
	require.NoError(w.t, err)
	type row struct {
		Shard        int16
		Batch, Facts []byte
	}
	packed, err := pgx.CollectRows(rows, pgx.RowToStructByPos[row])
	require.NoError(w.t, err)
	_, err = w.conn.Exec(context.Background(), `DELETE FROM skald.history WHERE saga_id = $1`, id.String())
	require.NoError(w.t, err)
	for _, r := range packed {
		facts, err := stored.DecodeFacts(r.Facts)
		require.NoError(w.t, err)
		for i := range facts {
			b, err := stored.EncodeFacts(facts[i : i+1])
			require.NoError(w.t, err)
			w.exec(`INSERT INTO skald.history (shard, saga_id, seq, batch, facts) VALUES ($1, $2, $3, $4, $5)`, r.Shard, id.String(), facts[i].Seq, r.Batch, b)
		}
	}
}

// facts spreads the history and runs a statement that breaks it.
func (w *wreck) facts(id saga.ID, sql string) {
	w.t.Helper()
	w.spread(id)
	w.exec(sql, id.String())
}

// fact changes the stored bytes of the first fact of that type.
func (w *wreck) fact(id saga.ID, of saga.FactType, change func(*saga.Fact)) {
	w.t.Helper()
	rows, err := w.conn.Query(context.Background(), `SELECT seq, facts FROM skald.history WHERE saga_id = $1 ORDER BY seq`, id.String())
	require.NoError(w.t, err)
	type row struct {
		Seq   int64
		Facts []byte
	}
	packed, err := pgx.CollectRows(rows, pgx.RowToStructByPos[row])
	require.NoError(w.t, err)
	for _, r := range packed {
		facts, err := stored.DecodeFacts(r.Facts)
		require.NoError(w.t, err)
		i := slices.IndexFunc(facts, func(f saga.Fact) bool { return f.Type == of })
		if i < 0 {
			continue
		}
		change(&facts[i])
		b, err := stored.EncodeFacts(facts)
		require.NoError(w.t, err)
		w.exec(`UPDATE skald.history SET facts = $3 WHERE saga_id = $1 AND seq = $2`, id.String(), r.Seq, b)
		return
	}
	w.t.Fatalf("saga %s has no fact %s", id, of)
}

// outbox adds a row of records that wait, to be published in that time.
func (w *wreck) outbox(batch, in string, records ...orchestrator.Record) {
	w.t.Helper()
	b, err := stored.EncodeRecords(records)
	require.NoError(w.t, err)
	waiting := make([]int32, len(records))
	for i := range waiting {
		waiting[i] = int32(i)
	}
	w.exec(`INSERT INTO skald.outbox (batch, retry_at, tried, waiting, records) VALUES ($1, now() + $2::interval, true, $3, $4)`, batch, in, waiting, b)
}

// damage is one kind of it: where, how, and what the audit must say of it.
type damage struct {
	name  string
	scene string
	plant func(w *wreck, id saga.ID)
	want  []string // kind and a part of what is wrong, with |
}

func damages() []damage {
	return []damage{
		{"InstanceBytes", "completed", func(w *wreck, id saga.ID) {
			w.exec(`UPDATE skald.sagas SET instance = '\x0203' WHERE id = $1`, id.String())
		}, []string{"instance_unreadable|cannot be read"}},
		{"InstanceState", "completed", func(w *wreck, id saga.ID) {
			w.instance(id, func(in *saga.Instance) { in.Steps[1].Output = []byte(`{"room": 7}`) })
		}, []string{"state_differs|steps[1].output.room is 7, and its history says null"}},
		{"InstancePayload", "waiting", func(w *wreck, id saga.ID) {
			w.instance(id, func(in *saga.Instance) { in.Steps[2].Forward.Payload = []byte(`{"amount": 1}`) })
		}, []string{"state_differs|steps[2].forward.payload.amount is 1, and its history says null"}},
		{"FactBytes", "completed", func(w *wreck, id saga.ID) {
			w.facts(id, `UPDATE skald.history SET facts = '\x00' WHERE saga_id = $1 AND seq = 3`)
		}, []string{"fact_unreadable|fact 3 cannot be read"}},
		{"FactGone", "completed", func(w *wreck, id saga.ID) {
			w.facts(id, `DELETE FROM skald.history WHERE saga_id = $1 AND seq = 4`)
		}, []string{"history_gap|fact 4 is missing"}},
		{"FactsCut", "completed", func(w *wreck, id saga.ID) {
			w.exec(`UPDATE skald.history SET facts = substr(facts, 1, 20) WHERE saga_id = $1 AND seq = 1`, id.String())
		}, []string{"fact_unreadable|fact 1 cannot be read", "history_gap|facts 2 to 3 are missing"}},
		{"FirstFactGone", "waiting", func(w *wreck, id saga.ID) {
			w.facts(id, `DELETE FROM skald.history WHERE saga_id = $1 AND seq = 1`)
		}, []string{"history_gap|fact 1 is missing"}},
		{"LastFactGone", "completed", func(w *wreck, id saga.ID) {
			w.facts(id, `DELETE FROM skald.history WHERE saga_id = $1 AND seq = (SELECT max(seq) FROM skald.history WHERE saga_id = $1)`)
		}, []string{"history_gap|is missing"}},
		{"FactOfAnother", "completed", func(w *wreck, id saga.ID) {
			w.facts(id, `UPDATE skald.history SET facts = (SELECT facts FROM skald.history WHERE saga_id = $1 AND seq = 2) WHERE saga_id = $1 AND seq = 3`)
		}, []string{"history_gap|fact 3 says that it is fact 2"}},
		{"FactOfNoStep", "completed", func(w *wreck, id saga.ID) {
			w.fact(id, saga.StepSucceeded, func(f *saga.Fact) { f.Step = "parking" })
		}, []string{"history_illegal|(step.succeeded) cannot be applied"}},
		{"FactBeforeTheStart", "completed", func(w *wreck, id saga.ID) {
			w.fact(id, saga.SagaStarted, func(f *saga.Fact) { f.Type = saga.SagaResumed })
		}, []string{"history_illegal|a saga begins with saga.started"}},
		{"EffectRewritten", "completed", func(w *wreck, id saga.ID) {
			w.fact(id, saga.StepSucceeded, func(f *saga.Fact) { f.Effect = saga.EffectNone })
		}, []string{"state_differs|effect"}},
		{"StartedTooEarly", "completed", func(w *wreck, id saga.ID) {
			w.fact(id, saga.StepSucceeded, func(f *saga.Fact) { f.Type = saga.ReplyRecorded })
		}, []string{"invariant_broken|S10", "order_broken|pay started while", "state_differs|steps["}},
		{"LivesOnAfterItsEnd", "completed", func(w *wreck, id saga.ID) {
			w.fact(id, saga.StepStarted, func(f *saga.Fact) {
				f.Type, f.End = saga.SagaAbandoned, &saga.Certificate{Verdict: saga.Residue}
			})
		}, []string{"state_differs|steps[0].forward", "terminal_left|(saga.completed): it was abandoned, and is completed"}},

		{"Status", "completed", func(w *wreck, id saga.ID) {
			w.exec(`UPDATE skald.sagas SET status = 'compensated' WHERE id = $1`, id.String())
		}, []string{"column_differs|column status is compensated, and the instance says completed"}},
		{"Tenant", "completed", func(w *wreck, id saga.ID) {
			w.exec(`UPDATE skald.sagas SET tenant = 'other' WHERE id = $1`, id.String())
		}, []string{"column_differs|column tenant is other", "key_missing|nobody has its business key", "key_of_another|tenant other", "answer_without_saga|tenant other"}},
		{"Definition", "completed", func(w *wreck, id saga.ID) {
			w.exec(`UPDATE skald.sagas SET version = 2 WHERE id = $1`, id.String())
		}, []string{"column_differs|column version is 2"}},
		{"Revision", "waiting", func(w *wreck, id saga.ID) {
			w.exec(`UPDATE skald.sagas SET revision = revision + 1 WHERE id = $1`, id.String())
		}, []string{"column_differs|column revision"}},
		{"CreatedAt", "completed", func(w *wreck, id saga.ID) {
			w.exec(`UPDATE skald.sagas SET created_at = created_at + interval '1 microsecond' WHERE id = $1`, id.String())
		}, []string{"column_differs|column created_at"}},
		{"Labels", "completed", func(w *wreck, id saga.ID) {
			w.exec(`UPDATE skald.sagas SET labels = '{"team": "red"}' WHERE id = $1`, id.String())
		}, []string{"column_differs|column labels is map[team:red]"}},
		{"Attention", "suspended", func(w *wreck, id saga.ID) {
			w.exec(`UPDATE skald.sagas SET attention = '{}' WHERE id = $1`, id.String())
		}, []string{"column_differs|column attention is []"}},
		{"Causes", "waiting", func(w *wreck, id saga.ID) {
			w.exec(`UPDATE skald.sagas SET causes = '{backoff}' WHERE id = $1`, id.String())
		}, []string{"column_differs|column causes is [backoff]"}},
		{"CausesGone", "suspended", func(w *wreck, id saga.ID) {
			w.exec(`UPDATE skald.sagas SET causes = '{}' WHERE id = $1`, id.String())
		}, []string{"column_differs|column causes is []"}},
		{"Waits", "waiting", func(w *wreck, id saga.ID) {
			w.exec(`UPDATE skald.sagas SET waits = '{reply nobody}' WHERE id = $1`, id.String())
		}, []string{"column_differs|column waits is [reply nobody]"}},
		{"VerdictColumn", "compensated", func(w *wreck, id saga.ID) {
			w.exec(`UPDATE skald.sagas SET verdict = 'residue' WHERE id = $1`, id.String())
		}, []string{"column_differs|column verdict is \"residue\""}},
		{"VerdictColumnUnknown", "compensated", func(w *wreck, id saga.ID) { // as of a saga that ended before there was the column
			w.exec(`UPDATE skald.sagas SET verdict = NULL WHERE id = $1`, id.String())
		}, nil},
		{"WaitsGone", "suspended", func(w *wreck, id saga.ID) {
			w.exec(`UPDATE skald.sagas SET waits = '{}' WHERE id = $1`, id.String())
		}, []string{"column_differs|column waits is []"}},
		{"WaitsTwice", "waiting", func(w *wreck, id saga.ID) {
			w.exec(`UPDATE skald.sagas SET waits = waits || waits WHERE id = $1`, id.String())
		}, []string{"column_differs|column waits is"}},
		{"WaitsHeld", "waiting", func(w *wreck, id saga.ID) { // nothing of it can be held
			w.exec(`UPDATE skald.sagas SET waits = array_prepend('hold ' || split_part(waits[1], ' ', 2), waits) WHERE id = $1`, id.String())
		}, []string{"column_differs|column waits is [hold "}},
		{"WaitsAfterTheEnd", "completed", func(w *wreck, id saga.ID) {
			w.exec(`UPDATE skald.sagas SET waits = '{unbegun}' WHERE id = $1`, id.String())
		}, []string{"column_differs|column waits is [unbegun], and the saga has ended"}},
		{"Batches", "waiting", func(w *wreck, id saga.ID) {
			w.exec(`UPDATE skald.sagas SET batches = '{}' WHERE id = $1`, id.String())
		}, []string{"column_differs|column batches is []"}},

		{"Overdue", "waiting", func(w *wreck, id saga.ID) {
			w.exec(`UPDATE skald.sagas SET wake_at = wake_at - interval '20 minutes' WHERE id = $1`, id.String())
		}, []string{"overdue|it was to be looked at"}},
		{"WakesTooLate", "waiting", func(w *wreck, id saga.ID) {
			w.exec(`UPDATE skald.sagas SET wake_at = wake_at + interval '10 minutes' WHERE id = $1`, id.String())
		}, []string{"wake_late|it is due at"}},
		{"NobodyAsked", "suspended", func(w *wreck, id saga.ID) {
			w.instance(id, func(in *saga.Instance) { in.Attention = nil })
		}, []string{"column_differs|column attention", "nobody_asked|it is suspended", "state_differs|attention"}},

		{"Certificate", "completed", func(w *wreck, id saga.ID) {
			w.instance(id, func(in *saga.Instance) { in.Certificate.Effects[0].Effect = saga.EffectUndone })
		}, []string{"certificate_differs|flight undone", "state_differs|certificate.effects[0].effect", "verdict_wrong|flight is undone in a completed saga"}},
		{"Verdict", "compensated", func(w *wreck, id saga.ID) {
			w.instance(id, func(in *saga.Instance) { in.Certificate.Verdict = saga.Residue })
		}, []string{"certificate_differs|it says residue", "column_differs|column verdict is \"cleanly_aborted\", and the instance says \"residue\"", "state_differs|certificate.verdict", "verdict_wrong|so it is cleanly_aborted"}},
		{"CertificateBothPlaces", "compensated", func(w *wreck, id saga.ID) { // the fact and the instance say the same wrong thing
			forge := func(c *saga.Certificate) {
				c.Effects[0].Effect = saga.EffectCertain
				c.Residue, c.Verdict = c.Effects[:1], saga.Residue
			}
			w.instance(id, func(in *saga.Instance) { forge(in.Certificate) })
			w.fact(id, saga.SagaCompensated, func(f *saga.Fact) { forge(f.End) })
		}, []string{"certificate_differs|flight certain", "column_differs|column verdict", "verdict_wrong|flight is certain, can be undone, and was not"}},
		{"NoCertificate", "compensated", func(w *wreck, id saga.ID) {
			w.instance(id, func(in *saga.Instance) { in.Certificate = nil })
		}, []string{"certificate_differs|it is compensated, and has a certificate: false", "column_differs|column verdict", "state_differs|certificate"}},

		{"CommandLost", "waiting", func(w *wreck, id saga.ID) {
			w.exec(`DELETE FROM skald.receipts WHERE batch = (SELECT batches[1] FROM skald.sagas WHERE id = $1)`, id.String())
		}, []string{"command_lost|the command to execute pay, edition 0"}},
		{"ReceiptBytes", "waiting", func(w *wreck, id saga.ID) {
			w.exec(`UPDATE skald.receipts SET acks = '\x09' WHERE batch = (SELECT batches[1] FROM skald.sagas WHERE id = $1)`, id.String())
		}, []string{"receipt_unreadable|cannot be read"}},
		{"ReceiptAndOutbox", "waiting", func(w *wreck, id saga.ID) {
			var batch string
			require.NoError(w.t, w.conn.QueryRow(context.Background(), `SELECT batches[1] FROM skald.sagas WHERE id = $1`, id.String()).Scan(&batch))
			w.outbox(batch, "1 hour", orchestrator.Record{Kind: orchestrator.RecordCommand, Saga: id, Step: "pay", Verb: saga.Execute, Attempt: 1})
		}, []string{"receipt_doubtful|record 0 of batch"}},

		{"KeyGone", "completed", func(w *wreck, id saga.ID) {
			w.exec(`DELETE FROM skald.business_keys WHERE id = $1`, id.String())
		}, []string{"key_missing|nobody has its business key"}},
		{"KeyToNobody", "waiting", func(w *wreck, id saga.ID) {
			w.exec(`UPDATE skald.business_keys SET id = $2 WHERE id = $1`, id.String(), saga.NewID(time.Now(), 1, 1).String())
		}, []string{"key_taken|it is running, and its business key", "key_without_saga|"}},
		{"KeyHash", "completed", func(w *wreck, id saga.ID) {
			w.exec(`UPDATE skald.business_keys SET hash = sha256('x') WHERE id = $1`, id.String())
		}, []string{"key_hash|of another input"}},
		{"KeyRenamed", "completed", func(w *wreck, id saga.ID) {
			w.exec(`UPDATE skald.business_keys SET key = key || '-x' WHERE id = $1`, id.String())
		}, []string{"key_missing|nobody has", "key_of_another|it belongs to a saga of trip with key"}},
		{"AnswerGone", "completed", func(w *wreck, id saga.ID) {
			w.exec(`UPDATE skald.idempotency_keys SET answer = NULL WHERE id = $1`, id.String())
		}, []string{"answer_missing|it was taken, and has no answer"}},
		{"AnswerBytes", "completed", func(w *wreck, id saga.ID) {
			w.exec(`UPDATE skald.idempotency_keys SET answer = '\x017b' WHERE id = $1`, id.String())
		}, []string{"answer_unreadable|cannot be read"}},
		{"AnswerEmpty", "completed", func(w *wreck, id saga.ID) {
			w.exec(`UPDATE skald.idempotency_keys SET answer = '\x017b7d' WHERE id = $1`, id.String())
		}, []string{"answer_unreadable|its answer is empty"}},
		{"SagaGone", "completed", func(w *wreck, id saga.ID) {
			w.exec(`DELETE FROM skald.sagas WHERE id = $1`, id.String())
		}, []string{"answer_without_saga|does not exist", "history_without_saga|there is a history", "key_without_saga|does not exist"}},
		{"SagaAndHistoryGone", "completed", func(w *wreck, id saga.ID) {
			w.exec(`DELETE FROM skald.sagas WHERE id = $1`, id.String())
			_, err := w.conn.Exec(context.Background(), `DELETE FROM skald.history WHERE saga_id = $1`, id.String())
			require.NoError(w.t, err)
		}, []string{"answer_without_saga|does not exist", "key_without_saga|does not exist"}},
	}
}

// Each kind of damage is done to a saga of its own, by SQL. The audit names each, with its saga and what is wrong, and nothing else.
func TestRun_NamesEveryDamage(t *testing.T) {
	t.Parallel()
	b, conn := onPostgres(t)
	list := damages()
	ids := make([]saga.ID, len(list))
	key := func(i int) string { return fmt.Sprintf("%02d-%s", i, list[i].name) }
	for i := range list {
		ids[i] = b.scene(list[i].scene, key(i))
	}
	b.settled()
	b.stop() // it would mend some of it
	clean, err := audit.Run(t.Context(), audit.Config{Store: b.store})
	require.NoError(t, err)
	require.Empty(t, clean.Problems)

	w := &wreck{t, conn}
	for i := range list {
		list[i].plant(w, ids[i])
	}
	report, err := audit.Run(t.Context(), audit.Config{Store: b.store, Again: time.Millisecond, Page: 7})
	require.NoError(t, err)
	for i := range list {
		t.Run(list[i].name, func(t *testing.T) {
			var found []string
			for _, p := range report.Problems {
				if p.Saga == ids[i] || strings.Contains(p.Target, key(i)) {
					require.NotEmpty(t, p.Guarantee)
					require.NotEmpty(t, p.Next)
					found = append(found, string(p.Kind)+"|"+p.What)
				}
			}
			slices.Sort(found)
			want := slices.Sorted(slices.Values(list[i].want))
			require.Len(t, found, len(want), "%q", found)
			for j := range want {
				kind, what, _ := strings.Cut(want[j], "|")
				require.True(t, strings.HasPrefix(found[j], kind+"|"), "want %s: %q", kind, found)
				require.Contains(t, found[j], what)
			}
		})
	}
	whole := 0
	for i := range list {
		whole += len(list[i].want)
	}
	total := 0
	for _, n := range report.Found {
		total += n
	}
	require.Equal(t, whole, total, "nothing is named that was not done")
}

// told are the problems that belong to no saga of the engine's own, as kind|target|what.
func told(report *audit.Report) []string {
	var out []string
	for _, p := range report.Problems {
		out = append(out, fmt.Sprintf("%s|%s|%s", p.Kind, p.Target, p.What))
	}
	return out
}

func TestRun_NamesDamageOfTheOutbox(t *testing.T) {
	t.Parallel()
	b, conn := onPostgres(t)
	id := b.scene("waiting", "A-1")
	b.settled()
	b.stop()
	w := &wreck{t, conn}
	const batch = "019aa000-0000-7000-8000-%012d"
	at := func(n int) string { return fmt.Sprintf(batch, n) }
	pay := orchestrator.Record{Kind: orchestrator.RecordCommand, Saga: id, Step: "pay", Verb: saga.Execute, Attempt: 1}
	ahead, ghost, undo := pay, pay, pay
	ahead.Attempt = 2
	ghost.Saga = saga.NewID(time.Now(), 1, 1)
	undo.Verb = saga.Compensate
	event := orchestrator.Record{Kind: orchestrator.RecordEvent, Saga: ghost.Saga}
	w.outbox(at(0), "1 hour", pay) // nothing wrong with it
	w.outbox(at(1), "-20 minutes", pay)
	w.outbox(at(2), "1 hour", pay, ahead)
	w.outbox(at(3), "1 hour", ghost, event, pay)
	w.outbox(at(4), "1 hour", undo)
	w.exec(`INSERT INTO skald.outbox (batch, retry_at, tried, waiting, records) VALUES ($1, now() + interval '1 hour', true, '{0}', '\x07')`, at(5))
	w.exec(`INSERT INTO skald.outbox (batch, retry_at, tried, waiting, records) VALUES ($1, 'infinity', false, '{}', '')`, at(6)) // a fence
	w.outbox(at(7), "1 hour")
	report, err := audit.Run(t.Context(), audit.Config{Store: b.store, Again: time.Millisecond})
	require.NoError(t, err)
	found := told(&report)
	slices.Sort(found)
	require.Len(t, found, 6, "%q", found)
	for i, want := range []string{
		"outbox_overdue|batch " + at(1) + "|it was to be published 20m",
		"outbox_unknown_command|batch " + at(2) + "|record 1: attempt 2 of execute pay, edition 0, which the saga has not asked for",
		"outbox_unknown_command|batch " + at(4) + "|record 0: attempt 1 of compensate pay",
		"outbox_unreadable|batch " + at(5) + "|its records cannot be read",
		"outbox_unreadable|batch " + at(7) + "|none of its records waits",
		"outbox_without_saga|batch " + at(3) + "|record 0: a command of a saga that does not exist",
	} {
		require.True(t, strings.HasPrefix(found[i], want), "want %s: %q", want, found)
	}
}

// Operator actions can only be added to; whoever gets round that is found by the chain of hashes.
func TestRun_NamesDamageOfTheRecordOfActions(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		sql  string
		want []string
	}{
		"Rewritten":  {`UPDATE skald.audit SET entry = convert_to(replace(convert_from(entry, 'UTF8'), 'ada', 'eve'), 'UTF8') WHERE seq = 3`, []string{"actions_chain|entry 3|entry 3 does not fit the chain"}},
		"Deleted":    {`DELETE FROM skald.audit WHERE seq = 2`, []string{"actions_chain|entry 2|entry 2 does not fit the chain"}},
		"CutOff":     {`DELETE FROM skald.audit WHERE seq = 4`, []string{"actions_chain|entry 3|the chain ends at 3, and its head says 4"}},
		"NoHead":     {`DELETE FROM skald.audit_heads`, []string{"actions_chain|entry 4|the chain ends at 4, and has no head"}},
		"Unreadable": {`UPDATE skald.audit SET entry = '\x05' WHERE seq = 1`, []string{"action_unreadable||", "actions_chain|entry 1|entry 1 does not fit the chain"}},
		"EffectGone": {`UPDATE skald.sagas SET revision = 1 WHERE key = 'A-1'`, []string{
			"action_without_trace|entry 2|saga.pause by ada led to revision 2, and the saga has 1", "action_without_trace|entry 3|", "action_without_trace|entry 4|",
		}},
		"SagaGone": {`DELETE FROM skald.sagas WHERE key = 'A-1'`, []string{"action_without_saga|entry 2|saga.pause by ada is recorded", "action_without_saga|entry 3|", "action_without_saga|entry 4|"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, conn := onPostgres(t)
			id := b.begin("A-1", map[string]string{"flight": "silence", "hotel": "silence"})
			for _, action := range []saga.Action{saga.ActionPause, saga.ActionResume, saga.ActionPause} {
				_, err := b.Act(t.Context(), orchestrator.ActRequest{Tenant: tenant, ID: id, Act: saga.Acted{Action: action, Reason: "a test", By: "ada"}})
				require.NoError(t, err)
			}
			b.settled()
			b.stop()
			clean, err := audit.VerifyActions(t.Context(), b.store)
			require.NoError(t, err)
			require.True(t, clean.Clean(), "%v", clean.Problems)
			_, err = conn.Exec(t.Context(), c.sql)
			if name != "EffectGone" && name != "SagaGone" && name != "NoHead" {
				require.ErrorContains(t, err, "it can only be added to")
				_, err = conn.Exec(t.Context(), `SET session_replication_role = replica`)
				require.NoError(t, err)
				_, err = conn.Exec(t.Context(), c.sql)
			}
			require.NoError(t, err)
			report, err := audit.VerifyActions(t.Context(), b.store)
			require.NoError(t, err)
			found := told(&report)
			slices.Sort(found)
			require.Len(t, found, len(c.want), "%q", found)
			for i, want := range c.want {
				require.True(t, strings.HasPrefix(found[i], want), "want %s: %q", want, found)
			}
		})
	}
}

// What is wrong with a definition is said of each of its sagas.
func TestRun_NamesDamageOfDefinitions(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ sql, want string }{
		"Gone":       {`DELETE FROM skald.definitions`, "definition_missing||its definition trip@1 is not there"},
		"Unreadable": {`UPDATE skald.definitions SET content = '\x017b7d'`, "definition_missing||its definition trip@1 cannot be read"},
		"NoBytes":    {`UPDATE skald.definitions SET content = '\x09'`, "definition_missing||its definition trip@1 cannot be read"},
		"Changed":    {`UPDATE skald.definitions SET content = convert_to(replace(convert_from(content, 'UTF8'), '"10m"', '"11m"'), 'UTF8')`, "definition_changed||the content of its definition trip@1 is not what was registered"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, conn := onPostgres(t)
			id := b.scene("completed", "A-1")
			b.settled()
			b.stop()
			_, err := conn.Exec(t.Context(), c.sql)
			require.NoError(t, err)
			report, err := audit.Run(t.Context(), audit.Config{Store: b.store})
			require.NoError(t, err)
			require.Len(t, report.Problems, 1, "%q", told(&report))
			require.Equal(t, id, report.Problems[0].Saga)
			require.True(t, strings.HasPrefix(told(&report)[0], c.want), "%q", told(&report))
		})
	}
}

// A CHECK keeps wake times and statuses together; the audit looks all the same, for whoever drops it.
func TestRun_NamesAWakeTimeThatIsGone(t *testing.T) {
	t.Parallel()
	b, conn := onPostgres(t)
	lives, ended := b.scene("waiting", "A-1"), b.scene("completed", "A-2")
	b.settled()
	b.stop()
	_, err := conn.Exec(t.Context(), `ALTER TABLE skald.sagas DROP CONSTRAINT sagas_wake_at`)
	require.NoError(t, err)
	w := &wreck{t, conn}
	w.exec(`UPDATE skald.sagas SET wake_at = NULL WHERE id = $1`, lives.String())
	w.exec(`UPDATE skald.sagas SET wake_at = now() WHERE id = $1`, ended.String())
	report, err := audit.Run(t.Context(), audit.Config{Store: b.store})
	require.NoError(t, err)
	require.Len(t, report.Problems, 2, "%q", told(&report))
	require.Equal(t, []saga.ID{lives, ended}, []saga.ID{report.Problems[0].Saga, report.Problems[1].Saga})
	require.Equal(t, map[audit.Kind]int{audit.WakeWrong: 2}, report.Found)
}

// Weeks that retention has detached are no damage.
func TestRun_DetachedWeeksAreNoDamage(t *testing.T) {
	t.Parallel()
	b, conn := onPostgres(t)
	b.scene("completed", "A-1")
	b.settled()
	b.stop()
	old := saga.NewID(time.Now().Add(-60*24*time.Hour), 1, 1).String()
	w := &wreck{t, conn}
	w.exec(`INSERT INTO skald.business_keys (tenant, saga, key, id, hash) VALUES ('default', 'trip', 'A-old', $1, '\x00')`, old)
	w.exec(`INSERT INTO skald.idempotency_keys (tenant, key, id, hash, answer) VALUES ('default', 'old', $1, '\x00', '\x01'::bytea || convert_to('{"started": {"id": "' || $2 || '"}}', 'UTF8'))`, old, old)
	report, err := audit.Run(t.Context(), audit.Config{Store: b.store})
	require.NoError(t, err)
	require.Empty(t, told(&report))
}

func TestRun_CountsAllAndTellsSome(t *testing.T) {
	t.Parallel()
	b, conn := onPostgres(t)
	for _, key := range []string{"A-1", "A-2", "A-3"} {
		b.scene("completed", key)
	}
	b.settled()
	b.stop()
	_, err := conn.Exec(t.Context(), `UPDATE skald.sagas SET status = 'compensated'`)
	require.NoError(t, err)
	report, err := audit.Run(t.Context(), audit.Config{Store: b.store, Limit: 2})
	require.NoError(t, err)
	require.Len(t, report.Problems, 2)
	require.Equal(t, map[audit.Kind]int{audit.ColumnDiffers: 3}, report.Found)
}

func TestRun_SaysThatItCouldNotRead(t *testing.T) {
	t.Parallel()
	b, conn := onPostgres(t)
	b.stop()
	_, err := conn.Exec(t.Context(), `ALTER TABLE skald.receipts RENAME TO gone`)
	require.NoError(t, err)
	_, err = audit.Run(t.Context(), audit.Config{Store: b.store})
	require.NoError(t, err, "there is no saga whose receipts would be read")
	_, err = conn.Exec(t.Context(), `ALTER TABLE skald.sagas RENAME TO gone_too`)
	require.NoError(t, err)
	_, err = audit.Run(t.Context(), audit.Config{Store: b.store})
	require.ErrorContains(t, err, "see what there is to audit")
}
