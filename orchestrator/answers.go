package orchestrator

import (
	"sync"
	"time"
)

// AnswersOver is how far back this replica counts how participants answered.
const AnswersOver = 5 * time.Minute

// Answers is how one participant answered lately, as one replica saw it.
type Answers struct {
	Good int // succeeded or rejected: a business no is an answer as good as any
	Bad  int // failed technically, or timed out
}

// answers counts how participants answer, for people: what this replica committed within AnswersOver.
type answers struct {
	clock Clock

	mu    sync.Mutex // guards tally
	tally map[participantKey]*tally
}

func (a *answers) saw(seen []sighting) {
	if len(seen) == 0 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.clock.Now()
	for _, s := range seen {
		t := a.tally[s.participantKey]
		if t == nil {
			t = &tally{part: AnswersOver / tallyParts}
			a.tally[s.participantKey] = t
		}
		t.add(now, s, 0)
	}
}

// Answers is how a participant answered the tenant's sagas that this replica committed within AnswersOver.
func (e *Engine) Answers(tenant, participant string) Answers {
	e.answers.mu.Lock()
	defer e.answers.mu.Unlock()
	t := e.answers.tally[participantKey{tenant, participant}]
	if t == nil {
		return Answers{}
	}
	all := t.sum(e.clock.Now(), 0)
	return Answers{Good: all.good, Bad: all.bad}
}
