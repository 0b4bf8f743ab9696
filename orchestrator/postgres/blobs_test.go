package postgres

import (
	"bytes"
	"testing"

	"github.com/jackc/pgx/v5/pgtype"
	"github.com/stretchr/testify/require"
)

// What pgx itself makes of such a list is the reference.
func TestBlobs_EncodeAsPgxDoes(t *testing.T) {
	t.Parallel()
	element, _ := pgtype.NewMap().TypeForOID(pgtype.ByteaOID)
	ours := blobCodec{&pgtype.ArrayCodec{ElementType: element}}
	for name, list := range map[string]blobs{
		"none": {}, "one": {[]byte("a")}, "several": {[]byte("a"), []byte("bcd")}, "empty": {[]byte{}, []byte("b")}, "null": {nil, []byte("b"), nil},
		"large": {bytes.Repeat([]byte("x"), 1<<20), []byte("y")}, "nil": nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := []byte("before")
			m := pgtype.NewMap()
			want, err := m.Encode(pgtype.ByteaArrayOID, pgtype.BinaryFormatCode, [][]byte(list), bytes.Clone(before))
			require.NoError(t, err)
			got, err := ours.PlanEncode(m, pgtype.ByteaArrayOID, pgtype.BinaryFormatCode, list).Encode(list, bytes.Clone(before))
			require.NoError(t, err)
			require.Equal(t, want, got)
		})
	}
	require.NotNil(t, ours.PlanEncode(pgtype.NewMap(), pgtype.ByteaArrayOID, pgtype.BinaryFormatCode, pgtype.FlatArray[[]byte]{}), "others are encoded as before")
}

func TestRoom_IsTakenOnceAndWritesNothing(t *testing.T) {
	t.Parallel()
	got, err := room(1000).Encode([]byte("before"))
	require.NoError(t, err)
	require.Equal(t, "before", string(got))
	require.GreaterOrEqual(t, cap(got), 1006)
}
