package sim

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"time"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/saga"
	"github.com/skaldhq/skald/participants/wire"
)

// people are the clients and the operators.
type people struct {
	w        *world
	rng      *rand.Rand
	tenants  []string
	chosen   [][]*plan // versions of one name stand together
	plans    map[planKey]*plan
	requests []*request
	byID     map[string]*request  // by request id
	known    map[idemKey]*request // the first that was answered with a saga, by Idempotency-Key (S2)
	sagas    []sagaRef            // in the order in which clients were told of them
	acts     int                  // so many were asked for
	mends    int                  // so many redrives and discards
	// operations is how many actions on many sagas operators will start.
	operations int
	holds      int  // operators will set
	tries      int  // so often starts were sent
	resolves   bool // somebody resolves in the second phase what is suspended
	calm       bool
}

type planKey struct {
	tenant, name string
	version      int
}

type idemKey struct{ tenant, key string }

// sagaRef is a saga as people know it.
type sagaRef struct {
	tenant string
	id     saga.ID
}

func newPeople(w *world) *people {
	p := &people{w: w, rng: rand.New(rand.NewPCG(w.opt.Seed, 22)), tenants: []string{"default"}, plans: map[planKey]*plan{}, byID: map[string]*request{}, known: map[idemKey]*request{}}
	if p.rng.IntN(3) == 0 {
		p.tenants = append(p.tenants, "acme")
	}
	p.resolves = p.rng.IntN(3) > 0
	p.chosen = pool.choose(p.rng)
	return p
}

// registerDefinitions registers the first version of everything; the second ones come while the world runs.
func (p *people) registerDefinitions() {
	for _, versions := range p.chosen {
		for _, tenant := range p.tenants {
			p.register(tenant, versions[0])
		}
	}
}

func (p *people) register(tenant string, plan *plan) {
	def := plan.def
	p.plans[planKey{tenant, def.Name, def.Version}] = plan
	if _, err := p.w.store.PutDefinition(context.Background(), orchestrator.DefinitionRow{
		Tenant: tenant, Name: def.Name, Version: def.Version,
		State: orchestrator.DefinitionActive, Hash: def.Hash, Content: json.RawMessage(plan.source), Source: plan.source,
	}, audit(tenant, "definition.put")); err != nil {
		panic(err)
	}
}

func audit(tenant, action string) orchestrator.Audit {
	return orchestrator.Audit{Tenant: tenant, Actor: "sim", Action: action, Reason: "sim"}
}

// plan is what a saga was started with; nil where the tenant has none of that name and version.
func (p *people) plan(tenant, name string, version int) *plan {
	return p.plans[planKey{tenant, name, version}]
}

// someSaga is any saga that a client knows of; zero: none yet.
func (p *people) someSaga() wire.ID {
	if len(p.sagas) == 0 {
		return wire.ID{}
	}
	return wire.ID(p.sagas[p.rng.IntN(len(p.sagas))].id)
}

// script plans what clients and operators do in the first phase.
func (p *people) script() {
	n := p.w.opt.Sagas
	if n == 0 {
		n = 1 + p.rng.IntN(8)
	}
	for i := range n {
		r := p.draw(i)
		p.requests = append(p.requests, r)
		p.w.after(p.within(10_000), func() { p.start(r) })
	}
	if p.w.opt.Sagas == 0 {
		p.repeat()
	}
	for range n + p.rng.IntN(3*n+1) { // mostly while sagas move
		p.w.after(p.within([]int{15_000, 15_000, 60_000}[p.rng.IntN(3)]), p.operate)
	}
	for _, versions := range p.chosen {
		for _, next := range versions[1:] {
			p.w.after(p.within(12_000), func() {
				for _, tenant := range p.tenants {
					p.register(tenant, next)
				}
			})
		}
	}
	for range p.holds {
		p.w.after(p.within(30_000), p.hold)
	}
	p.planLimits()
	p.planRedrives()
	p.w.oracle.watch()
}

// within is a time from now of less than so many milliseconds.
func (p *people) within(ms int) time.Duration {
	return time.Duration(p.rng.IntN(ms)) * time.Millisecond
}

// heal begins the second phase: what people stopped goes on, and somebody may look after what needs a person.
func (p *people) heal() {
	p.calm = true
	p.w.after(5*time.Second, p.unpause)
	p.w.after(5*time.Second, p.unhold)
	if p.resolves {
		p.w.after(5*time.Second, p.resolve)
	}
}

// replica is one that lives, or nil.
func (p *people) replica() *replica {
	first := p.rng.IntN(len(p.w.replicas))
	for i := range p.w.replicas {
		if r := p.w.replicas[(first+i)%len(p.w.replicas)]; !r.away() {
			return r
		}
	}
	return nil
}
