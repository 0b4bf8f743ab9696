package postgres

import (
	"context"
	"encoding/binary"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// blobs is a parameter of type bytea[]; nil is NULL. It carries nearly all that a batch writes. On the engine's connections it is
// encoded into memory that is taken once; on any other pgx does it, element by element.
type blobs [][]byte

// registerBlobs has a connection encode blobs.
func registerBlobs(_ context.Context, conn *pgx.Conn) error {
	types := conn.TypeMap()
	element, _ := types.TypeForOID(pgtype.ByteaOID)
	types.RegisterType(&pgtype.Type{Name: "_bytea", OID: pgtype.ByteaArrayOID, Codec: blobCodec{&pgtype.ArrayCodec{ElementType: element}}})
	return nil
}

type blobCodec struct{ *pgtype.ArrayCodec }

// PlanEncode implements pgtype.Codec.
func (c blobCodec) PlanEncode(m *pgtype.Map, oid uint32, format int16, value any) pgtype.EncodePlan {
	if _, ok := value.(blobs); ok && format == pgtype.BinaryFormatCode {
		return blobPlan{}
	}
	return c.ArrayCodec.PlanEncode(m, oid, format, value)
}

type blobPlan struct{}

const (
	blobHeader = 20   // of an array of one dimension: dimensions, whether there are NULLs, type, length and first index
	blobSlack  = 4096 // for the parameters that follow
)

// Encode implements pgtype.EncodePlan: an array in Postgres' binary format.
func (blobPlan) Encode(value any, buf []byte) ([]byte, error) {
	list := value.(blobs)
	if list == nil {
		return nil, nil
	}
	buf = slices.Grow(buf, blobHeader+list.size()+blobSlack)
	uint32be := binary.BigEndian.AppendUint32
	var null uint32
	if slices.ContainsFunc(list, func(b []byte) bool { return b == nil }) {
		null = 1
	}
	for _, v := range [...]uint32{1, null, pgtype.ByteaOID, uint32(len(list)), 1} {
		buf = uint32be(buf, v)
	}
	for _, b := range list {
		if b == nil {
			buf = uint32be(buf, 0xffffffff)
			continue
		}
		buf = append(uint32be(buf, uint32(len(b))), b...)
	}
	return buf, nil
}

// size is the elements with their lengths, in bytes.
func (list blobs) size() int {
	n := 0
	for _, b := range list {
		n += 4 + len(b)
	}
	return n
}

// room is a message of no bytes that makes room for those that follow it. The buffer of a connection starts at a kilobyte, and grows by
// a quarter.
type room int

// Frontend implements pgproto3.FrontendMessage.
func (room) Frontend() {}

// Decode implements pgproto3.Message; no server sends one.
func (room) Decode([]byte) error { return nil }

// Encode implements pgproto3.Message.
func (r room) Encode(dst []byte) ([]byte, error) { return slices.Grow(dst, int(r)), nil }

// roomFor is about how many bytes the statements of a batch take, and not less where it is large.
func roomFor(b *pgx.Batch) room {
	n := 0
	for _, q := range b.QueuedQueries {
		n += 512
		for _, arg := range q.Arguments {
			switch v := arg.(type) {
			case blobs:
				n += v.size()
			case []byte:
				n += len(v)
			case uuids:
				n += 20 * len(v)
			case times:
				n += 12 * len(v)
			case []int64:
				n += 12 * len(v)
			case []int32:
				n += 8 * len(v)
			case []string:
				for _, text := range v {
					n += 4 + len(text)
				}
			}
		}
	}
	return room(n)
}
