package audit

import (
	"fmt"
	"maps"
	"slices"
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
