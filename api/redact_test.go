package api

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSight_Payload(t *testing.T) {
	t.Parallel()
	cases := map[string]struct{ hidden, in, want string }{
		"Nothing": {"/x", `{"a": 1.10}`, `{"a": 1.10}`},
		"Member":  {"/a", `{"a":1,"b":1e400}`, `{"a":"[redacted]","b":1e400}`},
		"Nested":  {"/card/*", `{"card":{"no":"1","cvc":2}}`, `{"card":{"cvc":"[redacted]","no":"[redacted]"}}`},
		"Index":   {"/a/1", `{"a":[1,2,3]}`, `{"a":[1,"[redacted]",3]}`},
		"Escaped": {"/a~1b~0", `{"a/b~":1}`, `{"a/b~":"[redacted]"}`},
		"Whole":   {"", `[1]`, `"[redacted]"`},
		"NoJSON":  {"/a", `{`, `"[redacted]"`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.want, string(sight{hidden: []string{c.hidden}}.payload(json.RawMessage(c.in))))
			require.Equal(t, c.in, string(sight{}.payload(json.RawMessage(c.in))))
		})
	}
	require.Nil(t, sight{hidden: []string{"/a"}}.payload(nil))
	require.Equal(t, `"[redacted]"`, string(sight{hidden: []string{"/a"}}.derived(json.RawMessage(`{"b":1}`))), "what is hidden may stand there under another name")
	require.Equal(t, `{"b":1}`, string(sight{}.derived(json.RawMessage(`{"b":1}`))))
}
