package auth

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/skaldhq/skald/api"
)

// userActor stands before the name of whom a provider named, so that nobody is taken for a key or for the engine.
const userActor = "user:"

const (
	tokenBytes = 8 << 10 // longest token
	skew       = 60 * time.Second
	nameBytes  = 200
)

// claims are those of a token by name.
type claims map[string]json.RawMessage

// verify is whom a token names. Its errors are api.ErrUnauthenticated, or errAway where the keys cannot be had.
func (p *provider) verify(ctx context.Context, verifier *oidc.IDTokenVerifier, token string) (who api.Principal, nonce string, err error) {
	if len(token) > tokenBytes {
		return who, "", refused("the token is larger than 8 KiB")
	}
	ctx, away := withFetchError(ctx)
	verified, err := verifier.Verify(ctx, token)
	switch {
	case err != nil && *away != nil:
		return who, "", fmt.Errorf("%w: %w", errAway, *away)
	case err != nil:
		return who, "", refused(err.Error())
	}
	var c claims
	if err := verified.Claims(&c); err != nil {
		return who, "", refused("the token's claims cannot be read: " + err.Error())
	}
	if err := c.checkTimes(p.now()); err != nil {
		return who, "", err
	}
	who, err = p.named(c)
	return who, verified.Nonce, err
}

// checkTimes wants exp and iat; nbf where there is one.
func (c claims) checkTimes(now time.Time) error {
	exp, ok := c.time("exp")
	if !ok || !now.Before(exp.Add(skew)) {
		return refused("the token has expired, or never expires")
	}
	iat, ok := c.time("iat")
	if !ok || iat.After(now.Add(skew)) {
		return refused("the token is from the future, or says not from when it is")
	}
	if _, has := c["nbf"]; has {
		if nbf, ok := c.time("nbf"); !ok || nbf.After(now.Add(skew)) {
			return refused("the token is not good yet")
		}
	}
	return nil
}

func (c claims) time(name string) (time.Time, bool) {
	var seconds float64
	if json.Unmarshal(c[name], &seconds) != nil || seconds <= 0 || seconds > 1e11 || math.IsNaN(seconds) {
		return time.Time{}, false
	}
	return time.UnixMilli(int64(seconds * 1000)), true
}

// named is who the claims say it is. Roles that are not mapped are left out; a tenant that the provider may not speak for is refused.
func (p *provider) named(c claims) (api.Principal, error) {
	name := c.texts(p.cfg.NameClaim)
	if len(name) != 1 || !plainName(name[0]) {
		return api.Principal{}, refused(fmt.Sprintf("the claim %s names nobody", p.cfg.NameClaim))
	}
	tenant := c.texts(p.cfg.TenantClaim)
	if len(tenant) != 1 || !slices.Contains(p.cfg.Tenants, tenant[0]) {
		return api.Principal{}, refused(fmt.Sprintf("the claim %s is missing, or names no tenant that the provider may speak for", p.cfg.TenantClaim))
	}
	who := api.Principal{Name: userActor + name[0], Tenant: tenant[0]}
	for _, value := range c.texts(p.cfg.RolesClaim) {
		for _, role := range p.cfg.Roles[value] {
			if !slices.Contains(who.Roles, role) {
				who.Roles = append(who.Roles, role)
			}
		}
	}
	return who, nil
}

func plainName(name string) bool {
	return name != "" && len(name) <= nameBytes && !strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) })
}

// texts are a claim's value: a text, or a list of texts. The name is the claim's own, or else a path with dots. nil: it is neither.
func (c claims) texts(name string) []string {
	raw, ok := c[name]
	for !ok {
		head, rest, found := strings.Cut(name, ".")
		var inner claims
		if !found || json.Unmarshal(c[head], &inner) != nil {
			return nil
		}
		c, name = inner, rest
		raw, ok = c[name]
	}
	var one string
	if json.Unmarshal(raw, &one) == nil && one != "" {
		return []string{one}
	}
	var many []string
	if json.Unmarshal(raw, &many) != nil {
		return nil
	}
	return many
}
