package api

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash/fnv"
	"strings"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// The kinds of cursors: one of a list means nothing to another.
const (
	cursorSagas      = 's'
	cursorHistory    = 'h'
	cursorQuarantine = 'q'
	cursorOperations = 'o'
	cursorAudit      = 'a'
)

// errCursor says that a cursor was not given out by the list that it is used for.
var errCursor = errors.New("this is no cursor of this list and these filters; start again without one")

// encodeCursor writes a place in a list: the kind, a digest of the filters, and the place. It holds nothing secret; a forged
// one leads to another place in the same tenant's list.
func encodeCursor(kind byte, scope string, place []byte) string {
	raw := append([]byte{kind}, scopeHash(scope)...)
	return base64.RawURLEncoding.EncodeToString(append(raw, place...))
}

func decodeCursor(kind byte, scope, cursor string, size int) ([]byte, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	// The decoder passes over line ends.
	if err != nil || strings.ContainsAny(cursor, "\r\n") || len(raw) != 9+size || raw[0] != kind || string(raw[1:9]) != string(scopeHash(scope)) {
		return nil, errCursor
	}
	return raw[9:], nil
}

func scopeHash(scope string) []byte {
	h := fnv.New64a()
	_, _ = h.Write([]byte(scope)) // never fails
	return h.Sum(nil)
}

func idCursor(scope string, id saga.ID) string { return encodeCursor(cursorSagas, scope, id[:]) }

func readIDCursor(scope, cursor string) (id saga.ID, err error) {
	place, err := decodeCursor(cursorSagas, scope, cursor, len(id))
	if err == nil && id == saga.ID(place) {
		err = errCursor // the zero id would start the list again
	}
	if err != nil {
		return saga.ID{}, err
	}
	return saga.ID(place), nil
}

func numberCursor(kind byte, scope string, n int64) string {
	return encodeCursor(kind, scope, binary.BigEndian.AppendUint64(nil, uint64(n)))
}

func readNumberCursor(kind byte, scope, cursor string) (int64, error) {
	place, err := decodeCursor(kind, scope, cursor, 8)
	if err != nil {
		return 0, err
	}
	n := int64(binary.BigEndian.Uint64(place))
	if n <= 0 {
		return 0, errCursor
	}
	return n, nil
}
