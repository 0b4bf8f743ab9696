package participants

import (
	"fmt"
	"log/slog"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/skaldhq/skald/participants/wire"
)

const (
	// ConcurrencyDefault is how many commands of different sagas are handled at once.
	ConcurrencyDefault = 64
	// InHandDefault is how many deliveries are taken from the transport and not finished, waiting ones included.
	InHandDefault = 1024
	// DrainTimeoutDefault is how long a running handler may go on after its partition was lost or Run was told to end.
	DrainTimeoutDefault = 10 * time.Second
	// ProbeWaitDefault is how long a probe waits for an execute whose transaction is open.
	ProbeWaitDefault = time.Second
	// MaxOutputDefault is the largest output of a reply, in bytes; the engine drops what is larger.
	MaxOutputDefault = 256 << 10
)

// Config is what New takes beside the required. The zero value is good.
type Config struct {
	Topics         wire.Topics          // zero: no prefix
	Concurrency    int                  // 0: ConcurrencyDefault
	InHand         int                  // 0: InHandDefault; never below Concurrency
	DrainTimeout   time.Duration        // 0: DrainTimeoutDefault
	ProbeWait      time.Duration        // 0: ProbeWaitDefault
	CompensateWait time.Duration        // how long a compensate waits for an open execute before it fails with execute_open; 0: as long as ctx
	MaxOutput      int                  // bytes; 0: MaxOutputDefault
	Logger         *slog.Logger         // nil: discards
	TracerProvider trace.TracerProvider // nil: the global one
	Now            func() time.Time     // nil: time.Now; stamps replies
	NewID          func() wire.ID       // nil: wire.RandomID; ids of replies
	Bare           bool                 // leaves out recovery and tracing: for a simulation whose panics must pass
}

func (c *Config) setDefaults() {
	if c.Concurrency <= 0 {
		c.Concurrency = ConcurrencyDefault
	}
	if c.InHand <= 0 {
		c.InHand = InHandDefault
	}
	c.InHand = max(c.InHand, c.Concurrency)
	if c.DrainTimeout <= 0 {
		c.DrainTimeout = DrainTimeoutDefault
	}
	if c.ProbeWait <= 0 {
		c.ProbeWait = ProbeWaitDefault
	}
	if c.MaxOutput <= 0 {
		c.MaxOutput = MaxOutputDefault
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.NewID == nil {
		c.NewID = wire.RandomID
	}
}

// Participant answers the commands of one participant. Register everything before Run or Answer; after that it is
// safe for concurrent use.
type Participant struct {
	name       string
	barrier    Barrier
	config     Config
	commands   map[string]command
	middleware []Middleware
	chain      func() HandlerFunc // the middleware around serve, made at the first command
}

// command is what is registered under one command name.
type command struct {
	execute    HandlerFunc // nil: the verb is not handled
	compensate HandlerFunc // nil: the verb is not handled
	ask        HandlerFunc // nil: nobody to ask about a claimed row
	external   bool
}

// New returns a participant with no commands. It panics when name is not a participant's name or barrier is nil:
// those are the programmer's.
func New(name string, barrier Barrier, config Config) *Participant {
	if !wire.ValidName(name) || name == "skald" {
		panic(fmt.Sprintf("participants.New: %q is not a participant's name", name))
	}
	if barrier == nil {
		panic("participants.New: no barrier")
	}
	config.setDefaults()
	p := &Participant{name: name, barrier: barrier, config: config, commands: map[string]command{}}
	p.chain = sync.OnceValue(p.wrap)
	if !config.Bare {
		p.middleware = []Middleware{Recovery(config.Logger), Tracing(config.TracerProvider)}
	}
	return p
}

// Name is the participant's name.
func (p *Participant) Name() string { return p.name }

// Topic is the command topic that the participant reads.
func (p *Participant) Topic() string { return p.config.Topics.Commands(p.name) }

// Group is its consumer group: the participant's name, after the installation's prefix.
func (p *Participant) Group() string { return p.config.Topics.Prefix + p.name }

// Handle registers what the command does for each verb; nil where a verb is not handled. A step's compensation is a
// command of its own name, so the two usually stand in two calls:
//
//	p.Handle("ReserveItems.v1", reserve, nil)
//	p.Handle("ReleaseItems.v1", nil, release)
//
// Handlers run inside the barrier's transaction: what they write commits together with the answer, or not at all.
// It panics when the name is not a command's, is taken, or both functions are nil.
func (p *Participant) Handle(name string, execute, compensate HandlerFunc) {
	p.register(name, command{execute: execute, compensate: compensate})
}

// External is a command whose effect is outside the barrier's database, such as at a card processor. Nothing here
// runs inside a transaction (Request.Tx is nil); Request.IdempotencyKey is the key to call the provider with.
type External struct {
	// Execute calls the provider, after a `claimed` row was committed. It may be called again with the same key.
	// Succeeded and Rejected are final; anything else leaves the claim.
	Execute HandlerFunc
	// Compensate undoes at the provider. It may be called again with the same key.
	Compensate HandlerFunc
	// Ask tells a compensate or a probe that meets a claim what became of it: Succeed with the output, or Reject
	// when the provider refused AND no later call with Request.IdempotencyKey can take effect. Anything else means
	// that it cannot tell. nil: a compensate answers `failed`, code execute_open, a probe `unknown`.
	Ask HandlerFunc
}

// HandleExternal registers a command whose effect is outside the barrier's database. It panics as Handle does.
func (p *Participant) HandleExternal(name string, external External) {
	p.register(name, command{
		execute: external.Execute, compensate: external.Compensate, ask: external.Ask, external: true,
	})
}

// Use adds middleware inside of what is there: the first added sees a command first. It runs before the barrier's
// transaction begins.
func (p *Participant) Use(middleware ...Middleware) {
	p.middleware = append(p.middleware, middleware...)
}

func (p *Participant) register(name string, c command) {
	if !wire.ValidCommandName(name) {
		panic(fmt.Sprintf("participants: %q is not a command's name", name))
	}
	if _, taken := p.commands[name]; taken {
		panic(fmt.Sprintf("participants: command %s is registered twice", name))
	}
	if c.execute == nil && c.compensate == nil && c.ask == nil {
		panic(fmt.Sprintf("participants: command %s has no handler", name))
	}
	p.commands[name] = c
}
