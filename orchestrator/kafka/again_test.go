package kafka

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/orchestrator/brokertest"
	"github.com/skaldhq/skald/participants/wire"
)

func TestCodec_AgainIsDecodeOfWhatWasKept(t *testing.T) {
	t.Parallel()
	b := &testBundle{cfg: Config{Topics: wire.Topics{Prefix: "staging."}}, keys: testKeys(t), codec: sampleCodec(t)}
	came := b.codec.Decode(incoming(b.reply(sagaID(1), "reserve-items")))
	require.Nil(t, came.Poison)
	again, proven := b.codec.Again(came.Raw)
	require.True(t, proven, "the hash of its token is that of the right one")
	came.Raw.Saga, came.Raw.Tenant = again.Raw.Saga, again.Raw.Tenant
	require.Empty(t, cmp.Diff(came, again))

	strangers, err := wire.NewKeyring(wire.Key{ID: "k9", Secret: []byte("quite another secret")})
	require.NoError(t, err)
	_, proven = NewCodec(wire.Topics{}, "test", strangers).Again(came.Raw)
	require.False(t, proven, "of a ring without the key")
	came.Raw.TokenSHA256 = nil
	_, proven = b.codec.Again(came.Raw)
	require.False(t, proven)
}

func TestCodec_AgainOfPoison(t *testing.T) {
	t.Parallel()
	b := &testBundle{cfg: Config{Topics: wire.Topics{Prefix: "staging."}}, keys: testKeys(t), codec: sampleCodec(t)}
	for _, c := range brokertest.PoisonCases() {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			r := b.reply(sagaID(1), "reserve-items")
			c.Spoil(&r)
			came := b.codec.Decode(incoming(r))
			again, proven := b.codec.Again(came.Raw)
			if came.Poison.Reason == ReasonBadToken { // the token alone: that is for an operator to judge
				require.False(t, proven)
				require.Nil(t, again.Poison)
				return
			}
			require.NotNil(t, again.Poison, "whoever vouches lifts no other check")
			require.Equal(t, came.Poison.Reason, again.Poison.Reason)
			require.Equal(t, came.Poison.Message, again.Poison.Message)
		})
	}
}
