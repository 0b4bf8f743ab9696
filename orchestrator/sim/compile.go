package sim

import (
	"sync"

	"github.com/skaldhq/skald/orchestrator/definition"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// compiled is a table: what it answers follows from the content alone.
var compiled sync.Map // of content to *saga.Definition

// compile reads a stored definition, once in a process. It is safe for concurrent use.
func compile(name string, content []byte) (*saga.Definition, error) {
	if def, ok := compiled.Load(string(content)); ok {
		return def.(*saga.Definition), nil
	}
	def, err := definition.Read(name, content)
	if err == nil {
		compiled.Store(string(content), def)
	}
	return def, err
}
