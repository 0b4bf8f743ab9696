package stored

import (
	"encoding/binary"
	"fmt"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// Formats of the facts that one transaction adds to one saga.
//
//	1 (2026-11): count, then each fact as saga's codec writes it, with its length before it.
const factsFormat = 1

// EncodeFacts writes facts in their order.
func EncodeFacts(facts []saga.Fact) ([]byte, error) {
	b := append(make([]byte, 0, 160*len(facts)), factsFormat)
	b = binary.AppendUvarint(b, uint64(len(facts)))
	var fact []byte
	for i := range facts {
		var err error
		if fact, err = saga.AppendFact(fact[:0], facts[i]); err != nil {
			return nil, err
		}
		b = appendBytes(b, fact)
	}
	return b, nil
}

// SplitFacts is the bytes of each fact: one that is damaged does not hide those beside it.
func SplitFacts(b []byte) ([][]byte, error) {
	r := newReader("facts", b, factsFormat)
	facts := make([][]byte, r.count(1))
	for i := range facts {
		facts[i] = r.bytes()
	}
	if err := r.end(); err != nil {
		return nil, fmt.Errorf("split facts: %w", err)
	}
	return facts, nil
}

// DecodeFacts reads what EncodeFacts wrote.
func DecodeFacts(b []byte) ([]saga.Fact, error) {
	list, err := SplitFacts(b)
	if err != nil {
		return nil, err
	}
	facts := make([]saga.Fact, len(list))
	for i := range list {
		if facts[i], err = saga.DecodeFact(list[i]); err != nil {
			return nil, err
		}
	}
	return facts, nil
}
