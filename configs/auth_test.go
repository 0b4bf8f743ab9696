package configs_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/configs"
)

func TestAuth_AllMistakesAtOnce(t *testing.T) {
	t.Parallel()
	oidc := []string{"--auth", "oidc", "--oidc-issuer", "https://id.example", "--oidc-audience", "skald", "--oidc-role-map", "sre=operator"}
	cases := map[string]struct {
		args []string
		want []string // beginnings of the mistakes, in order
	}{
		"None":         {nil, nil},
		"Keys":         {[]string{"--auth", "keys", "--http-addr", "0.0.0.0:8080"}, nil},
		"OIDC":         {oidc, nil},
		"CodeFlow":     {append([]string{"--oidc-client-id", "skald", "--oidc-redirect-url", "https://skald.example/sign-in/callback"}, oidc...), nil},
		"Exposed":      {[]string{"--http-addr", "0.0.0.0:8080"}, []string{"http.addr: "}},
		"BothWays":     {[]string{"--auth", "keys", "--allow-unauthenticated"}, []string{"allow_unauthenticated: "}},
		"Nothing":      {[]string{"--auth", "oidc"}, []string{"oidc.audience: ", "oidc.issuer: ", "oidc.role_map: "}},
		"PlainIssuer":  {append(oidc, "--oidc-issuer", "http://id.example"), []string{"oidc.issuer: "}},
		"NotMeant":     {[]string{"--oidc-issuer", "https://id.example"}, []string{"oidc.issuer: "}},
		"RoleMap":      {append(oidc, "--oidc-role-map", "sre"), []string{"oidc.role_map: "}},
		"NoClient":     {append(oidc, "--oidc-client-secret", "s"), []string{"oidc.client_id: "}},
		"WrongWayBack": {append(oidc, "--oidc-client-id", "skald", "--oidc-redirect-url", "https://skald.example/", "--oidc-scopes", "email"), []string{"oidc.redirect_url: ", "oidc.scopes: "}},
		"IdleTooLong":  {[]string{"--session-idle", "24h"}, []string{"session.idle: "}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg, err := parse(t, c.args...)
			require.NoError(t, err)
			err = cfg.Validate()
			if len(c.want) == 0 {
				require.NoError(t, err)
				return
			}
			require.Error(t, err)
			lines := strings.Split(err.Error(), "\n")
			require.Len(t, lines, len(c.want), err.Error())
			for i, want := range c.want {
				require.True(t, strings.HasPrefix(lines[i], want), "want %q, got %q", want, lines[i])
			}
		})
	}
}

func TestAuth_RoleMap(t *testing.T) {
	t.Parallel()
	o := configs.OIDC{RoleMap: []string{"sre=operator", "sre=deployer", "cn=ops,dc=x=admin"}}
	roles, err := o.Roles()
	require.NoError(t, err)
	require.Equal(t, map[string][]string{"sre": {"operator", "deployer"}, "cn=ops,dc=x": {"admin"}}, roles)
}
