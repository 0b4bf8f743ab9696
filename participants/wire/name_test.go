package wire_test

import (
	"regexp"
	"strings"
	"testing"

	"github.com/skaldhq/skald/participants/wire"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestNames_AgreeWithTheirPatterns(t *testing.T) {
	t.Parallel()
	name := regexp.MustCompile(`^[a-z][a-z0-9-]{0,62}$`)
	command := regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]*\.v[1-9][0-9]*$`)
	samples := []string{
		"", "a", "-a", "A", "a_b", "orders", strings.Repeat("a", 63), strings.Repeat("a", 64), "a\n",
		"A.v1", "A.v0", "A.v01", "A.v", "A.v10x", "1A.v1", "A1.v1", ".v1", "A.V1", "a.b.v1", "A.v1 ", "É.v1",
	}
	for _, s := range samples {
		require.Equal(t, name.MatchString(s), wire.ValidName(s), "%q", s)
		require.Equal(t, command.MatchString(s), wire.ValidCommandName(s), "%q", s)
	}
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.StringMatching(`[aZ0.v1\-_ ]{0,8}`).Draw(t, "s")
		require.Equal(t, name.MatchString(s), wire.ValidName(s), "%q", s)
		require.Equal(t, command.MatchString(s), wire.ValidCommandName(s), "%q", s)
	})
}

func TestTopics(t *testing.T) {
	t.Parallel()
	topics := wire.Topics{Prefix: "staging."}
	require.Equal(t, "staging.inventory.commands", topics.Commands("inventory"))
	require.Equal(t, "staging.skald.replies", topics.Replies())
	require.Equal(t, "staging.skald.events", topics.Events())
	require.Equal(t, "staging.skald.starts", topics.Starts())
	require.Equal(t, "skald.replies", wire.Topics{}.Replies())

	name, ok := topics.Participant("staging.inventory.commands")
	require.True(t, ok)
	require.Equal(t, "inventory", name)
	for _, other := range []string{"inventory.commands", "staging.skald.replies", "staging.A.commands", "staging..commands"} {
		_, ok := topics.Participant(other)
		require.False(t, ok, other)
	}
	for _, bad := range []string{"", ".", "..", "a b", "ä", strings.Repeat("x", 250)} {
		require.False(t, wire.ValidTopic(bad), bad)
	}
	require.True(t, wire.ValidTopic("Skald_replies-1.x"))
}
