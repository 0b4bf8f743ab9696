package sim

import (
	"context"
	"fmt"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/internal/stored"
	"github.com/skaldhq/skald/participants/wire"
)

// tokenAlone reports whether a record in quarantine is a good reply but for its token: its participant did mean it.
func (o *brokerOracle) tokenAlone(q *orchestrator.Quarantined) bool {
	for _, handed := range o.handed {
		for _, e := range handed[place{q.Partition, q.Offset}] {
			if !asItCame(q, &e.record) || e.forged != "no token" && e.forged != "a bit of the token flipped" {
				continue
			}
			id, _ := e.record.Header(wire.HeaderID)
			if said := o.w.actors.said[id]; said != nil && said.valid {
				return true
			}
		}
	}
	return false
}

// redriven are the places of the records that a transaction applied out of the quarantine, or found to change nothing. Nothing
// that was forged may be among them, but what somebody vouches for (S9).
func (o *brokerOracle) redriven(handled []orchestrator.QuarantineHandled) map[place]bool {
	out := map[place]bool{}
	for _, h := range handled {
		e, ok := o.w.quarantined(h.ID)
		if !ok {
			o.w.violate("L5", "record %d was handled, and is not in quarantine", h.ID)
			continue
		}
		if h.Handling.State != orchestrator.QuarantineRedriven {
			continue
		}
		o.w.report.Redriven++
		out[place{e.Partition, e.Offset}] = true
		if h.Handling.Vouched {
			continue
		}
		for _, forged := range o.forgedAs(&e.Quarantined) {
			o.w.violate("S9", "record %d, with %s, was redriven although nobody vouched for it: %s", h.ID, forged, h.Handling.Outcome)
		}
	}
	return out
}

// forgedAs is why nobody may apply a record, as it was handed out; empty: a participant wrote it.
func (o *brokerOracle) forgedAs(q *orchestrator.Quarantined) (why []string) {
	for _, handed := range o.handed {
		for _, e := range handed[place{q.Partition, q.Offset}] {
			if asItCame(q, &e.record) && e.forged != "" {
				why = append(why, e.forged)
			}
		}
	}
	return why
}

// quarantined is a record in quarantine, whosever it is.
func (w *world) quarantined(id int64) (orchestrator.QuarantineEntry, bool) {
	for _, tenant := range append([]string{stored.TenantDefault, "mallory"}, w.people.tenants...) {
		if e, err := w.store.QuarantineRecord(context.Background(), tenant, id); err == nil {
			return e, true
		}
	}
	return orchestrator.QuarantineEntry{}, false
}

// handled compares what stands beside records in quarantine with the audit: each action once (S3).
func (o *oracle) handled() {
	w := o.w
	rows := map[string]int{}
	for _, tenant := range w.people.tenants {
		entries, err := w.store.Audit(context.Background(), tenant, 0, 1<<20)
		if err != nil {
			w.violate("world", "the audit cannot be read: %v", err)
			return
		}
		for _, e := range entries {
			if e.Action == "quarantine.redrive" || e.Action == "quarantine.discard" {
				rows[e.Target]++
			}
		}
	}
	for id := int64(1); ; id++ {
		e, ok := w.quarantined(id)
		if !ok {
			break
		}
		want := e.Handling.Redrives
		if e.Handling.State == orchestrator.QuarantineDiscarded {
			want++
		}
		if got := rows[fmt.Sprintf("quarantined record %d", id)]; got != want {
			w.violate("S3", "record %d was handled %d times, and the audit has %d: %+v", id, want, got, e.Handling)
		}
	}
}
