package sim

import "time"

// outages are the faults that last: the world asks about each of them every few seconds, of each replica or once.
var outages = []struct {
	fault Fault
	limit time.Duration // of how long it lasts, or how far it goes
	each  func(r *replica, d time.Duration)
	once  func(w *world, d time.Duration)
}{
	{fault: FaultFreeze, limit: 2 * time.Minute, each: func(r *replica, d time.Duration) {
		r.w.hinder(d)
		r.freeze(d)
	}},
	{fault: FaultDrain, each: func(r *replica, _ time.Duration) { r.beginDrain() }},
	{fault: FaultNoStore, limit: 20 * time.Second, each: func(r *replica, d time.Duration) {
		r.w.hinder(d)
		r.noStore = r.w.now.Add(d)
	}},
	{fault: FaultNoBroker, limit: 20 * time.Second, each: func(r *replica, d time.Duration) {
		r.w.hinder(d)
		r.noBroker = r.w.now.Add(d)
		r.w.kafka.group.cutOff(r.w.kafka.group.of[r], d)
	}},
	{fault: FaultKillAll, limit: 20 * time.Second, once: func(w *world, d time.Duration) {
		for _, r := range w.replicas {
			r.kill()
			r.comeBack(d)
		}
	}},
	{fault: FaultRestart, limit: 15 * time.Second, once: func(w *world, d time.Duration) { w.database.restart(d) }},
	{fault: FaultFailover, limit: 5 * time.Second, once: func(w *world, d time.Duration) {
		w.database.restart(d)
		w.database.jump(d - 2*time.Second) // the other machine's clock
	}},
	{fault: FaultClockForward, limit: 10 * time.Minute, once: func(w *world, d time.Duration) { w.database.jump(d) }},
	{fault: FaultClockBack, limit: 10 * time.Minute, once: func(w *world, d time.Duration) { w.database.jump(-d) }},
}

// weather asks about outages from now on, until the world heals.
func (w *world) weather() {
	if w.nemesis.calm {
		return
	}
	for i := range outages {
		o := &outages[i]
		if o.once != nil && w.hits(o.fault) {
			o.once(w, w.span(o.fault, o.limit))
		}
		for _, r := range w.replicas {
			if o.each != nil && !r.dead && w.hits(o.fault) {
				o.each(r, w.span(o.fault, max(o.limit, 1)))
			}
		}
	}
	w.meanwhile(time.Second+w.roll(6*time.Second), w.weather)
}

// hinder notes that something stands in the way of work for a while, so that draining may take longer.
func (w *world) hinder(d time.Duration) {
	if until := w.now.Add(d); until.After(w.hindered) {
		w.hindered = until
	}
}

// heal ends the first phase: no fault happens any more, whoever is dead comes back, and what stood in the way is gone.
func (w *world) heal() {
	w.note("phase", "heal")
	w.nemesis.calm = true
	w.database.heal()
	w.kafka.heal()
	w.actors.heal()
	w.people.heal()
	for _, r := range w.replicas {
		r.noStore, r.noBroker = time.Time{}, time.Time{}
		r.thaw()
		if r.dead {
			r.start()
		}
	}
}
