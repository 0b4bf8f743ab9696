package stored

import (
	"encoding/json"
	"fmt"

	"github.com/skaldhq/skald/orchestrator"
)

// Formats of an operation's request.
//
//	1 (2026-11): JSON of the request.
const operationFormat = 1

// EncodeOperation writes what an operation is to do.
func EncodeOperation(r orchestrator.OperationRequest) ([]byte, error) {
	b, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode operation: %w", err)
	}
	return append([]byte{operationFormat}, b...), nil
}

// DecodeOperation reads what EncodeOperation wrote.
func DecodeOperation(b []byte) (out orchestrator.OperationRequest, err error) {
	r := newReader("operation", b, operationFormat)
	if r.err != nil {
		return out, r.err
	}
	if err := json.Unmarshal(r.b, &out); err != nil {
		return out, fmt.Errorf("%w: operation: %w", ErrFormat, err)
	}
	return out, nil
}
