package sim

import (
	"time"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// recovery watches how long what is due waits (L3).
type recovery struct {
	wake map[saga.ID]time.Time
}

func (r *recovery) woken(id saga.ID, at time.Time) {
	if r.wake == nil {
		r.wake = map[saga.ID]time.Time{}
	}
	r.wake[id] = at
}

func (r *recovery) committed(*oracle) {}
