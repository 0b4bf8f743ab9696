package sim

import (
	"context"
	"slices"
	"time"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/memory"
)

// database is the store that all replicas share: its clock, whether it takes calls, and the sessions of others on it.
type database struct {
	w      *world
	store  *memory.Store
	ahead  time.Duration // of the world's clock
	most   time.Duration // the most that it was ever ahead
	down   time.Time     // takes no calls until then
	others []orchestrator.Tx
	adrift []*faultyTx // commits that are on the way
}

func newDatabase(w *world) *database {
	d := &database{w: w}
	d.store = memory.New(memory.Config{Now: d.now})
	return d
}

// now is the database's clock. It may jump, as clock_timestamp() does.
func (d *database) now() time.Time { return d.w.now.Add(d.ahead) }

// restart ends every session, and takes no new one for a while. What is committed stays.
func (d *database) restart(away time.Duration) {
	d.w.note("database", "restart")
	d.down = d.w.now.Add(away)
	d.w.hinder(away)
	for _, r := range d.w.replicas {
		r.sever()
	}
	for _, tx := range d.adrift {
		tx.sever()
	}
	d.adrift = nil
	d.forgetOthers()
}

// furthestBack bounds how far behind what it once said the database's clock is set: timers are late by as much (F21), and what
// should move within a time cannot.
const furthestBack = 10 * time.Minute

// jump moves the database's clock.
func (d *database) jump(by time.Duration) {
	by = max(by, d.most-furthestBack-d.ahead)
	d.w.note("database", "clock", by.String())
	d.ahead += by
	d.most = max(d.most, d.ahead)
}

// hold has a foreign session take locks for a while, if it can have them.
func (d *database) hold(need orchestrator.Need, during time.Duration) {
	tx, err := d.store.Begin(context.Background(), need)
	if err != nil {
		return
	}
	d.others = append(d.others, tx)
	d.w.hinder(during)
	d.w.meanwhile(during, func() {
		d.others = slices.DeleteFunc(d.others, func(other orchestrator.Tx) bool { return other == tx })
		tx.Rollback(context.Background())
	})
}

func (d *database) forgetOthers() {
	for _, tx := range d.others {
		tx.Rollback(context.Background())
	}
	d.others = nil
}

// heal ends what stands in the way. The clock stays where it is.
func (d *database) heal() {
	d.down = time.Time{}
	d.forgetOthers()
}
