package memory

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/skaldhq/skald/orchestrator"
	"github.com/skaldhq/skald/orchestrator/internal/stored"
)

type definitionKey struct {
	tenant, name string
	version      int
}

// PutDefinition implements orchestrator.Definitions.
func (s *Store) PutDefinition(_ context.Context, row orchestrator.DefinitionRow, audit orchestrator.Audit) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, text := range []string{row.Tenant, row.Name, string(row.State)} {
		if !stored.ValidText(text) {
			return false, fmt.Errorf("%w: %q is no text", orchestrator.ErrData, text)
		}
	}
	key := definitionKey{row.Tenant, row.Name, row.Version}
	if old, ok := s.definitions[key]; ok {
		if old.Hash != row.Hash {
			return false, fmt.Errorf("%w: %s version %d has other content", orchestrator.ErrConflict, row.Name, row.Version)
		}
		return false, nil
	}
	a, err := prepareAudit(audit, s.nowLocked())
	if err != nil {
		return false, err
	}
	row.CreatedAt = s.nowLocked()
	s.definitions[key] = row
	s.chainLocked(a)
	return true, nil
}

// Definition implements orchestrator.Definitions.
func (s *Store) Definition(_ context.Context, tenant, name string, version int) (orchestrator.DefinitionRow, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if version != 0 {
		row, ok := s.definitions[definitionKey{tenant, name, version}]
		if !ok {
			return row, orchestrator.ErrNotFound
		}
		return row, nil
	}
	best := orchestrator.DefinitionRow{}
	for key, row := range s.definitions {
		if key.tenant == tenant && key.name == name && row.State == orchestrator.DefinitionActive && row.Version > best.Version {
			best = row
		}
	}
	if best.Version == 0 {
		return best, orchestrator.ErrNotFound
	}
	return best, nil
}

// ListDefinitions implements orchestrator.Definitions.
func (s *Store) ListDefinitions(_ context.Context, tenant, name string) ([]orchestrator.DefinitionRow, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var rows []orchestrator.DefinitionRow
	for key, row := range s.definitions {
		if key.tenant == tenant && (name == "" || key.name == name) {
			rows = append(rows, row)
		}
	}
	slices.SortFunc(rows, func(a, b orchestrator.DefinitionRow) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(b.Version, a.Version))
	})
	return rows, nil
}

// SetDefinitionState implements orchestrator.Definitions.
func (s *Store) SetDefinitionState(_ context.Context, tenant, name string, version int, state orchestrator.DefinitionState, audit orchestrator.Audit) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := definitionKey{tenant, name, version}
	row, ok := s.definitions[key]
	if !ok {
		return orchestrator.ErrNotFound
	}
	a, err := prepareAudit(audit, s.nowLocked())
	if err != nil {
		return err
	}
	row.State = state
	s.definitions[key] = row
	s.chainLocked(a)
	return nil
}
