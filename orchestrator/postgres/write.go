package postgres

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/internal/stored"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// queueWrites queues everything that the batch writes. Content that cannot be encoded is ErrData.
func (t *tx) queueWrites(b *pgx.Batch, batch *orchestrator.Batch) error {
	w, err := writesOf(batch)
	if err != nil {
		return err
	}
	w.queue(b)
	if err := queueOutbox(b, batch, len(w.inserts.keys.ids) > 0, true); err != nil {
		return err
	}
	queueSettled(b, batch.Settled)
	queueRekeys(b, batch.Rekeys)
	queueAnswers(b, batch.Answers)
	if err := queueAudit(b, batch.Audit, t.at); err != nil {
		return err
	}
	queueQuarantine(b, batch.Quarantine, t.store.cfg.QuarantineBytes)
	queueHandled(b, batch.Handled)
	return nil
}

// writes are the sagas and facts of a batch, as arrays.
type writes struct {
	inserts, updates sagaArrays
	history          historyArrays
}

type sagaArrays struct {
	keys      keys
	tenants   []string
	sagas     []string
	versions  []int32
	key       []string
	statuses  []string
	revisions []int64
	createdAt times
	wakeAt    times
	labels    []*string
	attention []string
	causes    []string
	waits     []string
	verdicts  []*string
	// Arrays of arrays do not exist: row i has batches[first[i]:last[i]], counted from 1.
	first, last []int32
	batches     uuids
	instances   blobs
}

type historyArrays struct {
	batch  saga.BatchID
	shards []int16
	ids    uuids
	seqs   []int64 // of the first fact
	facts  blobs
}

func writesOf(batch *orchestrator.Batch) (*writes, error) {
	w := &writes{
		inserts: sagaArrays{batches: uuids{}}, // never NULL
		updates: sagaArrays{batches: uuids{}},
		history: historyArrays{batch: batch.ID},
	}
	seen := make(map[saga.ID]bool, len(batch.Writes))
	for i := range batch.Writes {
		write := &batch.Writes[i]
		id := write.Next.ID
		if seen[id] {
			return nil, fmt.Errorf("saga %s is written twice in one batch", id)
		}
		seen[id] = true
		a := &w.updates
		if write.Next.Revision == 1 {
			a = &w.inserts
		}
		if err := a.add(write); err != nil {
			return nil, fmt.Errorf("%w: saga %s: %w", orchestrator.ErrData, id, err)
		}
		if err := w.history.add(write); err != nil {
			return nil, fmt.Errorf("%w: saga %s: %w", orchestrator.ErrData, id, err)
		}
	}
	return w, nil
}

func (a *sagaArrays) add(w *orchestrator.Write) error {
	in := &w.Next
	instance, err := saga.EncodeInstance(*in)
	if err != nil {
		return err
	}
	var labels *string
	if len(in.Labels) > 0 {
		text, err := json.Marshal(in.Labels)
		if err != nil {
			return err
		}
		s := string(text)
		labels = &s
	}
	a.keys.add(in.ID)
	a.tenants = append(a.tenants, in.Tenant)
	a.sagas = append(a.sagas, in.Saga)
	a.versions = append(a.versions, int32(in.Version))
	a.key = append(a.key, in.Key)
	a.statuses = append(a.statuses, string(in.Status))
	a.revisions = append(a.revisions, in.Revision)
	a.createdAt = append(a.createdAt, timestamp(in.CreatedAt))
	a.wakeAt = append(a.wakeAt, timestampOrNull(w.WakeAt))
	a.labels = append(a.labels, labels)
	a.attention = append(a.attention, strings.Join(stored.Attention(in), ","))
	a.causes = append(a.causes, strings.Join(stored.Causes(w.Blocked), ","))
	a.waits = append(a.waits, strings.Join(stored.Waits(in, w.Blocked), ","))
	var verdict *string
	if v := stored.Verdict(in); v != "" {
		verdict = &v
	}
	a.verdicts = append(a.verdicts, verdict)
	a.first = append(a.first, int32(len(a.batches))+1)
	for _, id := range stored.OpenBatches(in) {
		a.batches = append(a.batches, uuid(id))
	}
	a.last = append(a.last, int32(len(a.batches)))
	a.instances = append(a.instances, instance)
	return nil
}

func (h *historyArrays) add(w *orchestrator.Write) error {
	if len(w.Facts) == 0 {
		return nil
	}
	facts, err := stored.EncodeFacts(w.Facts)
	if err != nil {
		return err
	}
	h.shards = append(h.shards, int16(w.Next.ID.Shard()))
	h.ids = append(h.ids, uuid(w.Next.ID))
	h.seqs = append(h.seqs, w.Facts[0].Seq)
	h.facts = append(h.facts, facts)
	return nil
}

func (w *writes) queue(b *pgx.Batch) {
	if a := &w.inserts; len(a.instances) > 0 {
		b.Queue(sqlInsertSagas, a.keys.shards, a.keys.ids, a.tenants, a.sagas, a.versions, a.key, a.statuses, a.revisions,
			a.createdAt, a.wakeAt, a.labels, a.attention, a.causes, a.first, a.last, a.batches, a.instances, a.waits, a.verdicts)
	}
	if a := &w.updates; len(a.instances) > 0 {
		b.Queue(sqlUpdateSagas, a.keys.shards, a.keys.ids, a.tenants, a.versions, a.statuses, a.revisions, a.wakeAt,
			a.attention, a.causes, a.first, a.batches, a.last, a.instances, a.keys.lowest, a.keys.upper, int64(len(a.instances)), a.waits, a.verdicts)
	}
	if h := &w.history; len(h.facts) > 0 {
		b.Queue(sqlInsertHistory, h.shards, h.ids, h.seqs, uuid(h.batch), h.facts)
	}
}

// queueOutbox queues the batch's outbox row. Where a batch has new sagas and no records, the row is written and deleted, so that
// the batch fails if it was given up as lost (see Committed): nothing else would tell an insert.
func queueOutbox(b *pgx.Batch, batch *orchestrator.Batch, fresh, tried bool) error {
	if len(batch.Outbox) == 0 && !fresh {
		return nil
	}
	records, err := stored.EncodeRecords(batch.Outbox)
	if err != nil {
		return fmt.Errorf("%w: %w", orchestrator.ErrData, err)
	}
	waiting := make([]int32, len(batch.Outbox))
	for i := range waiting {
		waiting[i] = int32(i)
	}
	b.Queue(sqlInsertOutbox, uuid(batch.ID), batch.RetryIn, tried, waiting, records)
	if len(batch.Outbox) == 0 {
		b.Queue(sqlDeleteOutbox, uuid(batch.ID))
	}
	return nil
}

func queueSettled(b *pgx.Batch, settled []orchestrator.Settled) {
	// Always in the same order, so that two replicas that settle the same rows don't wait for each other in a circle.
	settled = slices.Clone(settled)
	slices.SortStableFunc(settled, func(a, b orchestrator.Settled) int { return stored.CompareBatches(a.Batch, b.Batch) })
	var (
		whole uuids
		acks  blobs
	)
	for i := range settled {
		s := &settled[i]
		var acked []byte
		if len(s.Acked) > 0 {
			acked = stored.EncodeAcks(s.Acked)
		}
		if len(s.Left) == 0 {
			if n := len(whole); n > 0 && whole[n-1].Bytes == s.Batch { // published twice: by its owner and by a sweep
				acks[n-1] = append(acks[n-1], acked...)
				continue
			}
			whole, acks = append(whole, uuid(s.Batch)), append(acks, acked)
			continue
		}
		left := make([]int32, len(s.Left))
		for j, index := range s.Left {
			left[j] = int32(index)
		}
		b.Queue(sqlSettlePart, uuid(s.Batch), left, acked)
		b.Queue(sqlDeleteSettled, uuid(s.Batch))
	}
	if len(whole) > 0 {
		b.Queue(sqlSettle, whole, acks)
	}
}

func queueRekeys(b *pgx.Batch, rekeys []orchestrator.Rekey) {
	if len(rekeys) == 0 {
		return
	}
	rekeys = slices.Clone(rekeys)
	slices.SortFunc(rekeys, func(a, b orchestrator.Rekey) int {
		return cmp.Or(cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.Saga, b.Saga), cmp.Compare(a.Key, b.Key))
	})
	var (
		tenants, sagas, key []string
		from, to            uuids
		hashes              [][]byte
	)
	for i := range rekeys {
		r := &rekeys[i]
		tenants, sagas, key = append(tenants, r.Tenant), append(sagas, r.Saga), append(key, r.Key)
		from, to, hashes = append(from, uuid(r.From)), append(to, uuid(r.To)), append(hashes, r.Hash[:])
	}
	b.Queue(sqlRekey, tenants, sagas, key, from, to, hashes, int64(len(rekeys)))
}

func queueAnswers(b *pgx.Batch, answers []orchestrator.Answer) {
	if len(answers) == 0 {
		return
	}
	var (
		tenants, key []string
		bodies       [][]byte
	)
	for i := range answers {
		tenants, key = append(tenants, answers[i].Tenant), append(key, answers[i].Key)
		bodies = append(bodies, stored.EncodePlain(answers[i].Body))
	}
	b.Queue(sqlAnswer, tenants, key, bodies, int64(len(answers)))
}
