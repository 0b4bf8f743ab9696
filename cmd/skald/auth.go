package main

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/skaldhq/skald/api"
	"github.com/skaldhq/skald/api/auth"
	"github.com/skaldhq/skald/configs"
	"github.com/skaldhq/skald/orchestrator"
)

// openAuth makes what finds out who asks; nil where nobody is asked.
func openAuth(cfg *configs.Config, store orchestrator.Access, log *slog.Logger) (*auth.Auth, error) {
	if !cfg.Authenticated() {
		return nil, nil
	}
	out := auth.Config{
		Sessions: store, Idle: cfg.Session.Idle, Lifetime: cfg.Session.Lifetime, Logger: log,
		Loopback: api.CheckExposure(cfg.HTTP.Addr, false) == nil,
	}
	if cfg.ByKeys() {
		out.Keys = store
	}
	if cfg.ByOIDC() {
		provider, err := providerOf(&cfg.OIDC)
		if err != nil {
			return nil, err
		}
		out.OIDC = provider
	}
	return auth.New(out)
}

// providerOf reads the settings of the provider; they were validated but for the roles' names.
func providerOf(cfg *configs.OIDC) (*auth.OIDC, error) {
	byValue, err := cfg.Roles()
	if err != nil {
		return nil, fmt.Errorf("oidc.role_map: %w", err)
	}
	roles := map[string][]api.Role{}
	for value, names := range byValue {
		for _, name := range names {
			if !slices.Contains(roleNames(), name) {
				return nil, fmt.Errorf("oidc.role_map: %q is no role; there are %s", name, strings.Join(roleNames(), ", "))
			}
			roles[value] = append(roles[value], api.Role(name))
		}
	}
	return &auth.OIDC{
		Issuer: cfg.Issuer, Audience: cfg.Audience, ClientID: cfg.ClientID, ClientSecret: cfg.ClientSecret.Reveal(), RedirectURL: cfg.RedirectURL,
		Scopes: cfg.Scopes, NameClaim: cfg.NameClaim, RolesClaim: cfg.RolesClaim, TenantClaim: cfg.TenantClaim, Roles: roles, Tenants: cfg.Tenants,
	}, nil
}
