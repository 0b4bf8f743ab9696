package sim

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/participants"
	"github.com/skaldhq/skald/participants/wire"
)

var errDied = errors.New("the participant died")

// delivery is a command on its way through a participant. One that takes a while is a coroutine: its transaction stays open, and
// its row locked, while others of the step arrive.
type delivery struct {
	a       *actors
	record  orchestrator.Record
	entry   *entry // where it stands
	command wire.Command
	key     effectKey
	reply   wire.Reply
	err     error

	yield  func(time.Duration) bool
	resume func() (time.Duration, bool)
	stop   func()
	keep   bool // it lingers in its handler
	beats  bool // and says so
	dies   bool // in the end
	beat   func(context.Context)
}

// keepOpen answers a command over a while.
func (a *actors) keepOpen(d *delivery, keep, beats bool) {
	d.keep, d.beats, d.dies = keep, beats, a.hits(FaultDiesOpen)
	a.open[d] = true
	a.openRows[d.key]++
	d.resume, d.stop = iter.Pull(func(yield func(time.Duration) bool) {
		d.yield = yield
		d.answer(func(_ context.Context, r wire.Reply) { a.say(&d.command, r) })
	})
	a.goOn(d)
}

// goOn runs a delivery up to where it waits, or to its end.
func (a *actors) goOn(d *delivery) {
	if !a.open[d] {
		return
	}
	a.current = d
	pause, alive := d.resume()
	a.current = nil
	if alive {
		a.w.after(pause, func() { a.goOn(d) })
		return
	}
	d.close()
	if d.err == nil && !d.diedOpen() {
		a.answered(d)
		return
	}
	a.deliver(d.record, d.entry)
}

// diedOpen reports whether what came back is but the end of a participant that died.
func (d *delivery) diedOpen() bool { return d.dies && d.reply.Message == errDied.Error() }

func (d *delivery) close() {
	delete(d.a.open, d)
	if d.a.openRows[d.key]--; d.a.openRows[d.key] == 0 {
		delete(d.a.openRows, d.key)
	}
}

// drop ends the coroutine with its world.
func (d *delivery) drop() {
	d.a.current = d
	d.stop()
	d.a.current = nil
	d.close()
}

// linger keeps the delivery that runs where it is for a while; an error means that its participant dies there.
func (a *actors) linger() error {
	d := a.current
	if d == nil || !d.keep && !d.beats {
		return nil
	}
	for range 1 + a.rng.IntN(3) {
		if !d.yield(time.Duration(200+a.rng.IntN(6000)) * time.Millisecond) {
			return errDied
		}
		if d.beats && d.beat != nil {
			a.current = d
			d.beat(context.Background())
		}
	}
	if d.dies && a.rng.IntN(2) == 0 {
		return errDied
	}
	return nil
}

// waitingBarrier is the barrier in memory, for coroutines: where a row is open they wait for it.
type waitingBarrier struct {
	a     *actors
	inner *participants.Memory
}

func (b *waitingBarrier) Begin(ctx context.Context, lockWait time.Duration) (participants.BarrierTx, error) {
	tx, err := b.inner.Begin(ctx, lockWait)
	if err != nil || b.a.current == nil {
		return tx, err
	}
	return &waitingTx{BarrierTx: tx, d: b.a.current, till: b.a.w.now.Add(lockWait), limited: lockWait > 0}, nil
}

type waitingTx struct {
	participants.BarrierTx
	d       *delivery
	till    time.Time
	limited bool
}

// Insert waits as a database does: until the row's transaction has ended, or up to the lock wait.
func (t *waitingTx) Insert(ctx context.Context, key participants.RowKey, row participants.Row) (participants.Row, bool, error) {
	for {
		existing, inserted, err := t.BarrierTx.Insert(ctx, key, row)
		w := t.d.a.w
		if !errors.Is(err, participants.ErrRowOpen) || t.limited && !w.now.Before(t.till) {
			return existing, inserted, err
		}
		if !t.d.yield(250 * time.Millisecond) {
			return existing, inserted, errDied
		}
	}
}
