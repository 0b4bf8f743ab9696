package auth

import (
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/skaldhq/skald/api"
	"github.com/skaldhq/skald/api/apikey"
	"github.com/skaldhq/skald/orchestrator"
)

// flowLimit is how long somebody may take to sign in at the provider.
const flowLimit = 10 * time.Minute

// Ways implements api.SignIn.
func (a *Auth) Ways() api.SignInWays {
	ways := api.SignInWays{Key: a.keys != nil}
	if a.provider != nil && a.provider.cfg.ClientID != "" {
		ways.Provider = "the identity provider"
		if u, err := url.Parse(a.provider.cfg.Issuer); err == nil {
			ways.Provider = u.Host
		}
	}
	return ways
}

// WithKey implements api.SignIn.
func (a *Auth) WithKey(w http.ResponseWriter, r *http.Request, text string) error {
	if a.keys == nil {
		return refused("API keys are turned off")
	}
	if origin, err := url.Parse(r.Header.Get("Origin")); err == nil && origin.Scheme == "http" && !a.sessions.plain(r) {
		return api.ErrPlainHTTP
	}
	now := a.cfg.Now()
	if wait := a.throttle.wait(r.RemoteAddr, now); wait > 0 {
		return &api.ThrottledError{Wait: wait}
	}
	key, ok := apikey.Parse(strings.TrimSpace(text))
	err := refused("this is no API key")
	var who api.Principal
	if ok {
		who, err = a.keys.principal(r.Context(), key)
	}
	if errors.Is(err, api.ErrUnauthenticated) {
		a.throttle.failed(r.RemoteAddr, now)
	}
	if err != nil {
		return err
	}
	return a.begin(w, r, signedIn{Key: &key}, who)
}

func (a *Auth) begin(w http.ResponseWriter, r *http.Request, whose signedIn, who api.Principal) error {
	if err := a.sessions.begin(w, r, whose, who); err != nil {
		return err
	}
	a.cfg.Logger.InfoContext(r.Context(), "signed in", "principal", who.Name, "tenant", who.Tenant, "remote", orchestrator.RemoteOf(r.Context()))
	return nil
}

// Leave implements api.SignIn.
func (a *Auth) Leave(w http.ResponseWriter, r *http.Request) error {
	token, ok := a.sessions.cookie(r)
	a.sessions.set(w, r, sessionCookie, "", 0)
	if !ok {
		return nil
	}
	return a.sessions.end(r.Context(), token)
}

// flow is somebody on the way to the provider and back. It waits in a cookie: whoever only looks at the sign-in page leaves nothing in
// the database.
type flow struct {
	State    string `json:"state"`
	Nonce    string `json:"nonce"`
	Verifier string `json:"verifier"` // of PKCE
	Next     string `json:"next"`
}

// Begin implements api.SignIn.
func (a *Auth) Begin(w http.ResponseWriter, r *http.Request, next string) (string, error) {
	cfg, found, err := a.codeFlow()
	if err != nil {
		return "", err
	}
	f := flow{State: randomToken(), Nonce: randomToken(), Verifier: oauth2.GenerateVerifier(), Next: next}
	raw, err := json.Marshal(f)
	if err != nil {
		return "", fmt.Errorf("begin to sign in: %w", err)
	}
	a.sessions.set(w, r, flowCookie, base64.RawURLEncoding.EncodeToString(raw), flowLimit)
	cfg.Endpoint = found.endpoint
	return cfg.AuthCodeURL(f.State, oidc.Nonce(f.Nonce), oauth2.S256ChallengeOption(f.Verifier)), nil
}

func (a *Auth) codeFlow() (*oauth2.Config, *discovered, error) {
	if a.Ways().Provider == "" {
		return nil, nil, orchestrator.ErrNotFound
	}
	found := a.provider.found.Load()
	if found == nil {
		return nil, nil, errAway
	}
	cfg := &a.provider.cfg
	return &oauth2.Config{
		ClientID: cfg.ClientID, ClientSecret: cfg.ClientSecret, Endpoint: found.endpoint, RedirectURL: cfg.RedirectURL, Scopes: cfg.Scopes,
	}, found, nil
}

// Finish implements api.SignIn.
func (a *Auth) Finish(w http.ResponseWriter, r *http.Request) (next string, err error) {
	cfg, found, err := a.codeFlow()
	if err != nil {
		return "", err
	}
	f, err := a.flowOf(r)
	a.sessions.set(w, r, flowCookie, "", 0) // once
	if err != nil {
		return "", err
	}
	q := r.URL.Query()
	if code := q.Get("error"); code != "" {
		return "", refused(fmt.Sprintf("the provider refused to sign in: %.100q", code))
	}
	ctx := oidc.ClientContext(r.Context(), a.provider.client)
	token, err := cfg.Exchange(ctx, q.Get("code"), oauth2.VerifierOption(f.Verifier))
	var away *fetchError
	switch {
	case errors.As(err, &away):
		return "", fmt.Errorf("%w: %w", errAway, err)
	case err != nil:
		return "", refused("the provider gave no token: " + err.Error())
	}
	raw, ok := token.Extra("id_token").(string)
	if !ok {
		return "", refused("the provider gave no id_token: is openid among the scopes?")
	}
	who, nonce, err := a.provider.verify(ctx, found.sign, raw)
	if err != nil {
		return "", err
	}
	if subtle.ConstantTimeCompare([]byte(nonce), []byte(f.Nonce)) != 1 {
		return "", refused("the id_token was given for another sign-in")
	}
	return f.Next, a.begin(w, r, signedIn{Principal: &who}, who)
}

// flowOf is the flow that this browser began, and that the provider answers.
func (a *Auth) flowOf(r *http.Request) (f flow, err error) {
	cookie, ok := a.sessions.read(r, flowCookie)
	if !ok {
		return f, refused("this browser did not begin to sign in, or took too long")
	}
	raw, err := base64.RawURLEncoding.DecodeString(cookie)
	if err != nil || json.Unmarshal(raw, &f) != nil || f.State == "" || f.Verifier == "" {
		return f, refused("the cookie of the sign-in cannot be read")
	}
	if subtle.ConstantTimeCompare([]byte(f.State), []byte(r.URL.Query().Get("state"))) != 1 {
		return f, refused("the provider answers another sign-in than this browser began")
	}
	return f, nil
}
