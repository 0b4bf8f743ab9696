package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// replica is one `skald serve`.
type replica struct {
	name        string
	base, admin string
	process     *process
	ready       time.Duration
}

// join starts one more replica, and returns when it is ready. Ready does not mean that it has partitions of the replies yet.
func (e *engine) join(ctx context.Context) (*replica, error) {
	web, err := freeAddr()
	if err != nil {
		return nil, err
	}
	admin, err := freeAddr()
	if err != nil {
		return nil, err
	}
	r := &replica{name: orchestratorProcess, base: "http://" + web, admin: "http://" + admin}
	if n := len(e.replicas); n > 0 {
		r.name = fmt.Sprintf("%s%s%d", orchestratorProcess, sameProcess, n+1)
	}
	began := time.Now()
	r.process, err = start(e.s, "engine", append(slices.Clip(e.env), "SKALD_HTTP_ADDR="+web, "SKALD_ADMIN_ADDR="+admin), e.program, "serve")
	if err != nil {
		return nil, err
	}
	e.replicas = append(e.replicas, r)
	if err := r.process.await(ctx, time.Minute, 10*time.Millisecond, answers(r.base+"/readyz")); err != nil {
		return nil, err
	}
	r.ready = time.Since(began)
	e.costs.runs(r.name, r.process.pid())
	return r, nil
}

// leave takes a replica off the list; the caller ends its process.
func (e *engine) leave(r *replica) {
	e.replicas = slices.DeleteFunc(e.replicas, func(other *replica) bool { return other == r })
}

// fleet is whom starts are sent to, in turn. A load balancer in front of the replicas would know as quickly who is there.
type fleet struct {
	mu    sync.Mutex // guards bases
	bases []string
}

func (f *fleet) add(base string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.bases = append(f.bases, base)
}

func (f *fleet) remove(base string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.bases = slices.DeleteFunc(f.bases, func(other string) bool { return other == base })
}

// pick is where start n goes.
func (f *fleet) pick(n int64) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.bases[int(n)%len(f.bases)]
}
