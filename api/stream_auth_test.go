package api

import (
	"bufio"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// turnstile answers what it is told.
type turnstile struct{ answer atomic.Pointer[turn] }

type turn struct {
	who Principal
	err error
}

func (s *turnstile) Authenticate(*http.Request) (Principal, error) {
	now := s.answer.Load()
	return now.who, now.err
}

// A stream ends with what opened it: a key that is revoked, a session that is ended, a token that expires, a role that is taken away.
func TestStream_EndsWithWhoOpenedIt(t *testing.T) {
	t.Parallel()
	viewer := Principal{Name: "key:ci", Tenant: "default", Roles: []Role{RoleViewer}}
	cases := map[string]struct {
		later turn
		ends  bool
	}{
		"Revoked":      {turn{err: ErrUnauthenticated}, true},
		"OtherRoles":   {turn{who: Principal{Name: "key:ci", Tenant: "default"}}, true},
		"OtherTenant":  {turn{who: Principal{Name: "key:ci", Tenant: "other", Roles: viewer.Roles}}, true},
		"Same":         {turn{who: viewer}, false},
		"DatabaseAway": {turn{err: errors.New("the database is away")}, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			door := &turnstile{}
			door.answer.Store(&turn{who: viewer})
			b := setup(t, func(c *Config) { c.Authenticator = door })
			b.api.lookAgain = 5 * time.Millisecond
			server := httptest.NewServer(b.api.Handler())
			defer server.Close()
			defer b.api.streams.end()
			resp, err := server.Client().Get(server.URL + "/sagas/" + b.engine.started.ID.String() + "/live")
			require.NoError(t, err)
			defer resp.Body.Close()
			require.Equal(t, 200, resp.StatusCode)
			lines := bufio.NewScanner(resp.Body)
			require.True(t, lines.Scan())
			require.True(t, strings.HasPrefix(lines.Text(), "retry:"))
			door.answer.Store(&c.later)
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				for lines.Scan() { // until the stream ends
				}
			}()
			select {
			case <-ended:
				require.True(t, c.ends)
			case <-time.After(map[bool]time.Duration{true: 30 * time.Second, false: 200 * time.Millisecond}[c.ends]):
				require.False(t, c.ends)
			}
			b.api.streams.end()
			<-ended
		})
	}
}
