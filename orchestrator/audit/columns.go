package audit

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/skaldhq/skald/orchestrator/internal/stored"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// columns checks that what lists filter by says the same as the instance (S3).
func (c *sagaCheck) columns() {
	row, in := c.row, &c.in
	differs := func(column string, has, want any) {
		c.add(ColumnDiffers, "column %s is %v, and the instance says %v", column, has, want)
	}
	if row.ID != in.ID {
		differs("id", row.ID, in.ID)
	}
	if row.Shard != row.ID.Shard() {
		differs("shard", row.Shard, row.ID.Shard())
	}
	if row.Tenant != in.Tenant {
		differs("tenant", row.Tenant, in.Tenant)
	}
	if row.Saga != in.Saga {
		differs("saga", row.Saga, in.Saga)
	}
	if row.Version != in.Version {
		differs("version", row.Version, in.Version)
	}
	// A saga that ended before there was the column, or by a replica that does not know it, has none in its row.
	if want := stored.Verdict(in); row.Verdict != want && row.Verdict != "" {
		differs("verdict", fmt.Sprintf("%q", row.Verdict), fmt.Sprintf("%q", want))
	}
	if row.Key != in.Key {
		differs("key", fmt.Sprintf("%q", row.Key), fmt.Sprintf("%q", in.Key))
	}
	if row.Status != in.Status {
		differs("status", row.Status, in.Status)
	}
	if row.Revision != in.Revision {
		differs("revision", row.Revision, in.Revision)
	}
	if created := in.CreatedAt.UTC().Truncate(time.Microsecond); !row.CreatedAt.Equal(created) {
		differs("created_at", row.CreatedAt.UTC().Format(time.RFC3339Nano), created.Format(time.RFC3339Nano))
	}
	if !maps.Equal(row.Labels, in.Labels) {
		differs("labels", row.Labels, in.Labels)
	}
	if want := stored.Attention(in); !slices.Equal(row.Attention, want) {
		differs("attention", row.Attention, want)
	}
	if want := stored.OpenBatches(in); !slices.Equal(row.Batches, want) {
		differs("batches", row.Batches, want)
	}
	c.causes()
	c.waits()
}

// causes checks why the saga waits. A hold changes what is stored when the row is written, and nothing is written when it ends:
// so where a hold is named, what it hides may be missing.
func (c *sagaCheck) causes() {
	row := c.row
	if c.in.Status.Terminal() || c.def == nil {
		if len(row.Causes) > 0 && c.in.Status.Terminal() {
			c.add(ColumnDiffers, "column causes is %v, and the saga has ended", row.Causes)
		}
		return
	}
	want := stored.Causes(saga.Blocked(c.def, c.in, saga.Env{At: c.slice.At}))
	held := slices.Contains(row.Causes, string(saga.CauseHold))
	for _, cause := range row.Causes {
		if cause != string(saga.CauseHold) && !slices.Contains(want, cause) {
			c.add(ColumnDiffers, "column causes is %v, and the instance says %v", row.Causes, want)
			return
		}
	}
	if !held && !slices.Equal(row.Causes, want) {
		c.add(ColumnDiffers, "column causes is %v, and the instance says %v", row.Causes, want)
	}
}

// waits checks whom the saga waits for. What is held when the row is written has `hold` for the step: instead of `attention` where a step
// is to be undone, beside `backoff` where a command is to be sent again, and of one that is ready to be undone alone.
func (c *sagaCheck) waits() {
	row := c.row
	if c.in.Status.Terminal() {
		if len(row.Waits) > 0 {
			c.add(ColumnDiffers, "column waits is %v, and the saga has ended", row.Waits)
		}
		return
	}
	if c.def == nil {
		return
	}
	want := stored.Waits(&c.in, saga.Blocked(c.def, c.in, saga.Env{At: c.slice.At}))
	more, missing := differ(row.Waits, want)
	held := func(wait string) bool {
		return strings.HasPrefix(wait, string(saga.CauseHold)+" ") && c.mayBeHeld(wait)
	}
	person := func(wait string) bool { return strings.HasPrefix(wait, string(saga.CauseAttention)+" ") }
	wrong := slices.ContainsFunc(more, func(w string) bool { return !held(w) }) ||
		slices.ContainsFunc(missing, func(w string) bool { return len(more) == 0 || !person(w) })
	if wrong {
		c.add(ColumnDiffers, "column waits is %v, and the instance says %v", row.Waits, want)
	}
}

// mayBeHeld reports whether a hold can keep a step of its participant from moving.
func (c *sagaCheck) mayBeHeld(wait string) bool {
	for i := range c.def.Steps {
		if wait != string(saga.CauseHold)+" "+c.def.Steps[i].Participant {
			continue
		}
		if st := c.in.Steps[i].Status; st == saga.BackingOff || st == saga.UndoBackingOff || c.in.Aborting {
			return true
		}
	}
	return false
}

// differ is what has holds beyond want, and what it lacks; both are sorted, and may hold a label more than once.
func differ(has, want []string) (more, missing []string) {
	for len(has) > 0 || len(want) > 0 {
		switch {
		case len(want) == 0 || len(has) > 0 && has[0] < want[0]:
			more, has = append(more, has[0]), has[1:]
		case len(has) == 0 || want[0] < has[0]:
			missing, want = append(missing, want[0]), want[1:]
		default:
			has, want = has[1:], want[1:]
		}
	}
	return more, missing
}
