package wire_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/skaldhq/skald/participants/wire"
	"github.com/stretchr/testify/require"
)

const (
	oldKey = "old:000102030405060708090a0b0c0d0e0f"
	newKey = "new:f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"
)

func ring(t testing.TB, text string) *wire.Keyring {
	t.Helper()
	r, err := wire.ParseKeyring(text)
	require.NoError(t, err)
	return r
}

func TestToken_Format(t *testing.T) {
	t.Parallel()
	saga, command := sagaID(t), replyID(t)
	mac := hmac.New(sha256.New, []byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15})
	for _, field := range [][]byte{[]byte("default"), saga[:], command[:], []byte("inventory")} {
		var size [4]byte
		binary.BigEndian.PutUint32(size[:], uint32(len(field)))
		mac.Write(size[:])
		mac.Write(field)
	}
	want := "old." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
	require.Equal(t, want, ring(t, oldKey).Sign("default", saga, command, "inventory"))
}

func TestToken_FitsOnlyItsReply(t *testing.T) {
	t.Parallel()
	k := ring(t, oldKey)
	saga, command := sagaID(t), replyID(t)
	token := k.Sign("ab", saga, command, "cd")
	require.NoError(t, k.Verify(token, "ab", saga, command, "cd"))

	require.ErrorIs(t, k.Verify(token, "other", saga, command, "cd"), wire.ErrTokenWrong)
	require.ErrorIs(t, k.Verify(token, "ab", command, command, "cd"), wire.ErrTokenWrong)
	require.ErrorIs(t, k.Verify(token, "ab", saga, saga, "cd"), wire.ErrTokenWrong)
	require.ErrorIs(t, k.Verify(token, "ab", saga, command, "other"), wire.ErrTokenWrong)

	flipped := []byte(token)
	flipped[len(flipped)-10] ^= 1
	require.ErrorIs(t, k.Verify(string(flipped), "ab", saga, command, "cd"), wire.ErrTokenWrong)
	for _, bad := range []string{"", "old", "old.", "old.$$$", token + "A", token[:len(token)-2], token + "\n"} {
		require.ErrorIs(t, k.Verify(bad, "ab", saga, command, "cd"), wire.ErrTokenMalformed, "%q", bad)
	}
}

func TestToken_Rotation(t *testing.T) {
	t.Parallel()
	saga, command := sagaID(t), replyID(t)
	before, during, after := ring(t, oldKey), ring(t, newKey+", "+oldKey), ring(t, newKey)
	token := before.Sign("t", saga, command, "p")
	require.NoError(t, during.Verify(token, "t", saga, command, "p"), "tokens out before the rotation stay good")
	require.ErrorIs(t, after.Verify(token, "t", saga, command, "p"), wire.ErrTokenUnknownKey)
	require.NoError(t, after.Verify(during.Sign("t", saga, command, "p"), "t", saga, command, "p"), "the first key signs")

	relabelled := "new." + strings.TrimPrefix(token, "old.")
	require.ErrorIs(t, during.Verify(relabelled, "t", saga, command, "p"), wire.ErrTokenWrong)
}

func TestParseKeyring_Errors(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                        "entry 1 is not kid:hex",
		"a":                       "entry 1 is not kid:hex",
		oldKey + ",b:zz":          "secret of entry 2 is not hexadecimal",
		"a:0001":                  `key "a" has 2 bytes, fewer than 16`,
		oldKey + "," + oldKey:     `key id "old" appears twice`,
		"a.b:" + newKey[4:]:       "is not [A-Za-z0-9_-]{1,32}",
		":" + newKey[4:]:          "is not [A-Za-z0-9_-]{1,32}",
		newKey + "," + oldKey[2:]: "",
	} {
		_, err := wire.ParseKeyring(text)
		if want == "" {
			require.NoError(t, err, text)
			continue
		}
		require.ErrorContains(t, err, want, text)
		require.NotContains(t, err.Error(), newKey[4:], "an error must not leak a secret")
	}
	_, err := wire.NewKeyring()
	require.ErrorContains(t, err, "no key")
}

func TestKeyring_HidesSecrets(t *testing.T) {
	t.Parallel()
	k := ring(t, oldKey)
	key := wire.Key{ID: "old", Secret: []byte("a very secret secret")}
	for _, text := range []string{fmt.Sprintf("%v %+v %#v %s", k, k, k, k), fmt.Sprintf("%v %+v %#v %s", key, key, key, key)} {
		require.NotContains(t, text, "secret")
		require.NotContains(t, text, "0x0")
		require.NotContains(t, text, "[0 1 2")
	}
}

func BenchmarkKeyring_Verify(b *testing.B) {
	k := ring(b, oldKey)
	saga, command := sagaID(b), replyID(b)
	token := k.Sign("default", saga, command, "inventory")
	for b.Loop() {
		if err := k.Verify(token, "default", saga, command, "inventory"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReply_Decode(b *testing.B) {
	r := sampleReply(b, wire.Succeeded)
	r.Value = []byte(`{"reservation_id":"` + strings.Repeat("x", 370) + `"}`)
	record := r.Record("skald.replies")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := wire.DecodeReply(record); err != nil {
			b.Fatal(err)
		}
	}
}

func TestKeyring_VerifySHA256(t *testing.T) {
	t.Parallel()
	old := wire.Key{ID: "k0", Secret: []byte("fedcba9876543210")}
	both, err := wire.NewKeyring(wire.Key{ID: "k1", Secret: []byte("0123456789abcdef")}, old)
	require.NoError(t, err)
	one, err := wire.NewKeyring(old)
	require.NoError(t, err)
	id, command := wire.RandomID(), wire.RandomID()
	sum := sha256.Sum256([]byte(one.Sign("default", id, command, "payments")))
	require.True(t, both.VerifySHA256(sum[:], "default", id, command, "payments"), "of any key of the ring")
	require.False(t, both.VerifySHA256(sum[:], "other", id, command, "payments"))
	require.False(t, both.VerifySHA256(sum[:], "default", id, id, "payments"))
	require.False(t, both.VerifySHA256(nil, "default", id, command, "payments"))
	newest := sha256.Sum256([]byte(both.Sign("default", id, command, "payments")))
	require.False(t, one.VerifySHA256(newest[:], "default", id, command, "payments"), "of a key that the ring does not have")
}
