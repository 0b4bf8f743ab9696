package configs

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// Values of auth.
const (
	AuthNone = "none"
	AuthKeys = "keys"
	AuthOIDC = "oidc"
	AuthBoth = "both"
)

// Authenticated reports whether it is known who asks.
func (c *Config) Authenticated() bool { return c.ByKeys() || c.ByOIDC() }

// ByKeys reports whether API keys are let in.
func (c *Config) ByKeys() bool { return c.Auth == AuthKeys || c.Auth == AuthBoth }

// ByOIDC reports whether whom the provider names is let in.
func (c *Config) ByOIDC() bool { return c.Auth == AuthOIDC || c.Auth == AuthBoth }

// Roles reads the role map: several roles for one value are several entries.
func (o *OIDC) Roles() (map[string][]string, error) {
	roles := map[string][]string{}
	for _, entry := range o.RoleMap {
		// A value may have an equals sign in it, as names of directories do; no role has.
		at := strings.LastIndex(entry, "=")
		if at < 1 || at == len(entry)-1 {
			return nil, fmt.Errorf("%q: want VALUE=ROLE", entry)
		}
		roles[entry[:at]] = append(roles[entry[:at]], entry[at+1:])
	}
	return roles, nil
}

func (c *Config) validateAuth(v *validator) {
	v.check(slices.Contains([]string{AuthNone, AuthKeys, AuthOIDC, AuthBoth}, c.Auth), "auth", "%q: want none, keys, oidc or both", c.Auth)
	v.check(!c.Authenticated() || !c.AllowUnauthenticated, "allow_unauthenticated", "true together with auth %s: choose one", c.Auth)
	v.check(c.Session.Idle <= c.Session.Lifetime, "session.idle", "%s: want session.lifetime (%s) or less", c.Session.Idle, c.Session.Lifetime)
	if !c.ByOIDC() {
		v.check(c.OIDC.Issuer == "", "oidc.issuer", "set while auth is %s: want auth oidc or both", c.Auth)
		return
	}
	o := &c.OIDC
	v.check(safeURL(o.Issuer), "oidc.issuer", "%q: want the https address of the provider", o.Issuer)
	for key, value := range map[string]string{
		"oidc.audience": o.Audience, "oidc.name_claim": o.NameClaim, "oidc.roles_claim": o.RolesClaim, "oidc.tenant_claim": o.TenantClaim,
	} {
		v.check(value != "", key, "is not set")
	}
	_, err := o.Roles()
	v.check(err == nil, "oidc.role_map", "%v", err)
	v.check(len(o.RoleMap) > 0, "oidc.role_map", "is not set: nobody whom the provider names would have a role")
	v.check(len(o.Tenants) > 0, "oidc.tenants", "is not set: the provider could speak for nobody")
	if o.ClientID == "" {
		v.check(o.RedirectURL == "" && o.ClientSecret == "", "oidc.client_id", "is not set, and oidc.redirect_url or oidc.client_secret is")
		return
	}
	v.check(safeURL(o.RedirectURL) && strings.HasSuffix(o.RedirectURL, "/sign-in/callback"), "oidc.redirect_url", "%q: want https://<skald>/sign-in/callback", o.RedirectURL)
	v.check(slices.Contains(o.Scopes, "openid"), "oidc.scopes", "want openid among them")
}

// safeURL tells https addresses, and http ones on loopback.
func safeURL(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.Host != "" && u.User == nil && (u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Hostname()))
}
