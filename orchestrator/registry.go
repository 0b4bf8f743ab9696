package orchestrator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/skaldhq/skald/orchestrator/definition"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// activeFor is how long the answer to "which version is active" is believed: activating reaches other replicas after it.
const activeFor = 2 * time.Second

// registry keeps compiled definitions. A version never changes, so it is compiled once.
type registry struct {
	rows    Definitions
	clock   Clock
	compile func(name string, content []byte) (*saga.Definition, error)

	mu       sync.Mutex // guards what follows
	compiled map[defKey]*saga.Definition
	active   map[defKey]activeVersion
}

type defKey struct {
	tenant, name string
	version      int
}

type activeVersion struct {
	version int
	until   time.Time
}

func newRegistry(rows Definitions, ports Ports) *registry {
	compile := ports.Compile
	if compile == nil {
		compile = definition.Read
	}
	return &registry{rows: rows, clock: ports.Clock, compile: compile, compiled: map[defKey]*saga.Definition{}, active: map[defKey]activeVersion{}}
}

// get answers a compiled version; version 0 is the highest active one. ErrUnknownSagaType where there is none.
func (r *registry) get(ctx context.Context, tenant, name string, version int) (*saga.Definition, error) {
	key := defKey{tenant, name, version}
	if version == 0 {
		key.version = r.knownActive(key)
	}
	r.mu.Lock()
	def := r.compiled[key]
	r.mu.Unlock()
	if def != nil && key.version != 0 {
		return def, nil
	}
	row, err := r.rows.Definition(ctx, tenant, name, key.version)
	if errors.Is(err, ErrNotFound) {
		return nil, fmt.Errorf("%s version %d: %w", name, version, ErrUnknownSagaType)
	}
	if err != nil {
		return nil, fmt.Errorf("read definition %s version %d: %w", name, version, err)
	}
	return r.keep(tenant, row, version == 0)
}

func (r *registry) knownActive(key defKey) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if a, ok := r.active[key]; ok && r.clock.Now().Before(a.until) {
		return a.version
	}
	return 0
}

func (r *registry) keep(tenant string, row DefinitionRow, wasActive bool) (*saga.Definition, error) {
	key := defKey{tenant, row.Name, row.Version}
	r.mu.Lock()
	def := r.compiled[key]
	r.mu.Unlock()
	if def == nil {
		var err error
		if def, err = r.compile(row.Name, row.Content); err != nil {
			return nil, fmt.Errorf("compile the stored %s version %d: %w: %w", row.Name, row.Version, ErrUnknownSagaType, err)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.compiled[key] = def
	if wasActive {
		r.active[defKey{tenant, row.Name, 0}] = activeVersion{row.Version, r.clock.Now().Add(activeFor)}
	}
	return def, nil
}

// forget drops what is believed about the active version.
func (r *registry) forget(tenant, name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.active, defKey{tenant, name, 0})
}

// Definition answers a compiled definition; version 0 is the highest active one. ErrUnknownSagaType where there is none.
func (e *Engine) Definition(ctx context.Context, tenant, name string, version int) (*saga.Definition, error) {
	return e.registry.get(ctx, tenant, name, version)
}

// CheckDefinition answers nil, or *definition.Problems with everything that is wrong.
func (e *Engine) CheckDefinition(src []byte) error {
	_, err := definition.Read("definition", src)
	return err
}

// PutDefinition registers a version and makes the topics that it needs. The same content again is a no-op (created is false);
// other content is ErrConflict, wrong content *definition.Problems, a topic that nobody may make *TopicMissingError, and Kafka away
// ErrTopicsUnknown.
func (e *Engine) PutDefinition(ctx context.Context, tenant string, src []byte, activate bool, by, requestID string) (row DefinitionRow, created bool, err error) {
	source, err := definition.ReadSource("definition", src)
	if err != nil {
		return row, false, err
	}
	def := source.Definition
	if e.cfg.Topics != nil {
		var missing *TopicMissingError
		if err := e.cfg.Topics.EnsureParticipants(ctx, participantsOf(def)); errors.As(err, &missing) {
			return row, false, fmt.Errorf("topics of %s: %w", def.Name, err)
		} else if err != nil {
			return row, false, fmt.Errorf("topics of %s: %w: %w", def.Name, ErrTopicsUnknown, err)
		}
	}
	row = DefinitionRow{Tenant: tenant, Name: def.Name, Version: def.Version, State: DefinitionInactive, Hash: def.Hash, Content: json.RawMessage(source.JSON), Source: src}
	if activate {
		row.State = DefinitionActive
	}
	created, err = e.cfg.Definitions.PutDefinition(ctx, row, Audit{Tenant: tenant, Actor: by, From: RemoteOf(ctx), Action: "definition.put", Target: fmt.Sprintf("%s@%d", def.Name, def.Version), Reason: "registered", RequestID: requestID})
	if err != nil {
		return row, false, fmt.Errorf("register %s version %d: %w", def.Name, def.Version, err)
	}
	e.registry.forget(tenant, def.Name)
	row, err = e.cfg.Definitions.Definition(ctx, tenant, def.Name, def.Version)
	return row, created, err
}

// SetDefinitionState activates or retires a version; ErrNotFound.
func (e *Engine) SetDefinitionState(ctx context.Context, tenant, name string, version int, state DefinitionState, by, reason, requestID string) error {
	err := e.cfg.Definitions.SetDefinitionState(ctx, tenant, name, version, state, Audit{
		Tenant: tenant, Actor: by, From: RemoteOf(ctx), Action: "definition." + string(state),
		Target: fmt.Sprintf("%s@%d", name, version), Reason: reason, RequestID: requestID,
	})
	e.registry.forget(tenant, name)
	return err
}

func participantsOf(def *saga.Definition) []string {
	var out []string
	for _, s := range def.Steps {
		out = append(out, s.Participant)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
