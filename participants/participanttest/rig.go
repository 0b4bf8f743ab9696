package participanttest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/participants"
	"github.com/skaldhq/skald/participants/wire"
)

// order is what the rig's handlers are told to do, in the payload.
type order struct {
	Answer string `json:"answer"` // succeed, reject, fail, error, panic, break; hold and hold-fail wait in the open transaction first
}

// rig is a participant with commands Do.v1 (in the transaction), Undo.v1, Charge.v1 and Refund.v1 (at a provider).
type rig struct {
	*Saga
	world    World
	barrier  *faultyBarrier
	provider *provider
	entered  chan struct{} // a handler that holds has begun
	release  chan struct{} // closed to let it go on
}

func newRig(t testing.TB, world World) *rig {
	r := &rig{
		world:    world,
		barrier:  &faultyBarrier{Barrier: world.Barrier},
		provider: &provider{charges: map[string]bool{}},
		entered:  make(chan struct{}, 8),
		release:  make(chan struct{}),
	}
	r.Saga = New(t, r.serving(participants.Config{}))
	return r
}

func (r *rig) serving(config participants.Config) *participants.Participant {
	p := participants.New("tester", r.barrier, config)
	p.Handle("Do.v1", r.handler("done"), nil)
	p.Handle("Undo.v1", nil, r.handler("undone"))
	p.HandleExternal("Charge.v1", participants.External{Execute: r.provider.charge})
	p.HandleExternal("Refund.v1", participants.External{Compensate: r.provider.refund, Ask: r.provider.ask})
	p.HandleExternal("RefundBlind.v1", participants.External{Compensate: r.provider.refund})
	p.HandleExternal("Find.v1", participants.External{Ask: r.provider.ask})
	return p
}

func (r *rig) handler(effect string) participants.HandlerFunc {
	return func(ctx context.Context, req *participants.Request) (participants.Result, error) {
		var o order
		if err := req.Decode(&o); err != nil {
			return participants.Result{}, err
		}
		if err := r.world.Effect(ctx, req.Tx, effect); err != nil {
			return participants.Result{}, err
		}
		if strings.HasPrefix(o.Answer, "hold") {
			r.entered <- struct{}{}
			select {
			case <-r.release:
			case <-ctx.Done():
				return participants.Result{}, ctx.Err()
			}
		}
		switch o.Answer {
		case "reject":
			return participants.Reject("no", "not today")
		case "fail", "hold-fail":
			return participants.FailAfter("flaky", "try later", time.Second)
		case "error":
			return participants.Result{}, errors.New("something broke")
		case "panic":
			panic("handler's bug")
		case "break":
			if err := r.world.Break(ctx, req.Tx); err == nil {
				return participants.Result{}, errors.New("statement should have failed")
			}
			return participants.Reject("duplicate", "a statement failed")
		}
		return participants.Succeed(map[string]string{"effect": effect, "command": req.ID.String()})
	}
}

func (r *rig) wantEffects(want ...string) {
	r.t.Helper()
	if want == nil {
		want = []string{}
	}
	got := r.world.Effects()
	if got == nil {
		got = []string{}
	}
	require.Equal(r.t, want, got, "effects that were committed")
}

func (r *rig) want(reply wire.Reply, outcome wire.Outcome, code string) {
	r.t.Helper()
	require.Equal(r.t, []string{string(outcome), code}, []string{string(reply.Outcome), reply.Code}, "reply: %s", reply.Message)
}

// asyncAs answers c on another goroutine.
func (r *rig) asyncAs(saga *Saga, c wire.Command) <-chan wire.Reply {
	replies := make(chan wire.Reply, 1)
	go func() {
		reply, err := saga.Answer(r.t.Context(), c)
		if err != nil {
			reply.Message = err.Error()
		}
		replies <- reply
	}()
	return replies
}

func (r *rig) await(c <-chan wire.Reply) wire.Reply {
	r.t.Helper()
	select {
	case reply := <-c:
		return reply
	case <-time.After(20 * time.Second):
		require.Fail(r.t, "no reply after 20 s")
		return wire.Reply{}
	}
}

func (r *rig) awaitEntered() {
	r.t.Helper()
	select {
	case <-r.entered:
	case <-time.After(20 * time.Second):
		require.Fail(r.t, "the handler did not begin within 20 s")
	}
}

// provider is a card processor with idempotency keys.
type provider struct {
	mu      sync.Mutex
	charges map[string]bool // guarded by mu; by key
	calls   []string        // guarded by mu; "charge <key>", "refund <key>"
	crash   bool            // guarded by mu; the next call takes effect and the caller never hears of it
	decline bool            // guarded by mu
	mute    bool            // guarded by mu; it can't tell
	during  func()          // called within charge, before it takes effect
}

var errCrash = errors.New("connection reset by provider")

func (p *provider) charge(_ context.Context, req *participants.Request) (participants.Result, error) {
	p.mu.Lock()
	during := p.during
	p.mu.Unlock()
	if during != nil {
		during()
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if req.Tx != nil {
		return participants.Result{}, errors.New("an external call was made in a transaction")
	}
	p.calls = append(p.calls, "charge "+req.IdempotencyKey())
	if p.decline {
		return participants.Reject("declined", "card declined")
	}
	p.charges[req.IdempotencyKey()] = true
	if p.crash {
		p.crash = false
		return participants.Result{}, errCrash
	}
	return participants.Succeed(map[string]string{"charge": req.IdempotencyKey()})
}

func (p *provider) refund(_ context.Context, req *participants.Request) (participants.Result, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if req.Tx != nil {
		return participants.Result{}, errors.New("an external call was made in a transaction")
	}
	p.calls = append(p.calls, "refund "+req.IdempotencyKey())
	delete(p.charges, req.Executed.CommandID.String())
	if p.crash {
		p.crash = false
		return participants.Result{}, errCrash
	}
	return participants.Succeed(nil)
}

func (p *provider) ask(_ context.Context, req *participants.Request) (participants.Result, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.mute:
		return participants.Result{Outcome: wire.Unknown}, nil
	case p.charges[req.IdempotencyKey()]:
		return participants.Succeed(map[string]string{"charge": req.IdempotencyKey()})
	}
	return participants.Reject("voided", "never charged, and the key is closed")
}

func (p *provider) set(change func(*provider)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(p)
}

// told changes the provider as a script's word says.
func (p *provider) told(t testing.TB, how string) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	switch how {
	case "crashes":
		p.crash = true
	case "declines", "accepts":
		p.decline = how == "declines"
	case "mute", "speaks":
		p.mute = how == "mute"
	case "forgets":
		clear(p.charges)
	default:
		require.Fail(t, "a provider cannot do this", how)
	}
}

func (p *provider) charged() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.charges)
}

func (p *provider) made() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.calls...)
}

// faultyBarrier fails commits on demand: a process that was killed before or after it.
type faultyBarrier struct {
	participants.Barrier
	mu     sync.Mutex
	before int // guarded by mu; so many commits to come are rolled back instead
	after  int // guarded by mu; so many commits to come succeed and say otherwise
}

var errKilled = errors.New("connection lost at commit")

func (b *faultyBarrier) Begin(ctx context.Context, lockWait time.Duration) (participants.BarrierTx, error) {
	tx, err := b.Barrier.Begin(ctx, lockWait)
	if err != nil {
		return nil, err
	}
	return &faultyTx{BarrierTx: tx, barrier: b}, nil
}

func (b *faultyBarrier) killBeforeCommit() { b.mu.Lock(); b.before++; b.mu.Unlock() }
func (b *faultyBarrier) killAfterCommit()  { b.mu.Lock(); b.after++; b.mu.Unlock() }

type faultyTx struct {
	participants.BarrierTx
	barrier *faultyBarrier
}

func (t *faultyTx) Commit(ctx context.Context) error {
	t.barrier.mu.Lock()
	before, after := t.barrier.before > 0, t.barrier.after > 0
	t.barrier.before, t.barrier.after = max(0, t.barrier.before-1), max(0, t.barrier.after-1)
	t.barrier.mu.Unlock()
	if before {
		t.BarrierTx.Rollback(ctx)
		return errKilled
	}
	err := t.BarrierTx.Commit(ctx)
	if err == nil && after {
		return errKilled
	}
	return err
}
