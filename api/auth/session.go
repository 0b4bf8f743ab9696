package auth

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/skaldhq/skald/api"
	"github.com/skaldhq/skald/api/apikey"
	"github.com/skaldhq/skald/orchestrator"
)

// Cookies. Browsers take __Host- ones from this host alone, over TLS alone: no other site of the domain can plant one. On plain HTTP
// at this machine they have another name.
const (
	sessionCookie = "skald"
	flowCookie    = "skald-flow"
	hostPrefix    = "__Host-"
)

const (
	sweepEvery = 10 * time.Minute
	touchAfter = time.Minute // a session in use is moved on no more often
)

// signedIn is what a session says of whom it belongs to: a key, or whom the provider named.
type signedIn struct {
	Key       *apikey.Key    `json:"key,omitempty"`
	Principal *api.Principal `json:"principal,omitempty"`
}

// sessions are those of browsers. A browser has 256 random bits, the database their SHA-256.
type sessions struct {
	cfg    *Config
	known  *cache[[32]byte, knownSession]
	flight singleflight.Group
}

type knownSession struct {
	row   orchestrator.Session
	found bool
}

func newSessions(cfg *Config) *sessions {
	return &sessions{cfg: cfg, known: newCache[[32]byte, knownSession](cfg.Now)}
}

func (s *sessions) run(ctx context.Context) error {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if _, err := s.cfg.Sessions.SweepSessions(ctx); err != nil && ctx.Err() == nil {
			s.cfg.Logger.WarnContext(ctx, "ended sessions not taken away", "error", err)
		}
	}
}

// begin makes a session and gives the browser its cookie. It is always a new one: what the browser had before is worth nothing, so
// nobody can have it beforehand.
func (s *sessions) begin(w http.ResponseWriter, r *http.Request, whose signedIn, who api.Principal) error {
	if old, ok := s.cookie(r); ok {
		if err := s.end(r.Context(), old); err != nil {
			return err
		}
	}
	data, err := json.Marshal(whose)
	if err != nil {
		return fmt.Errorf("begin a session: %w", err)
	}
	token, now := randomToken(), s.cfg.Now()
	row := orchestrator.Session{
		ID: sha256.Sum256([]byte(token)), Tenant: who.Tenant, Data: data, IdleUntil: now.Add(s.cfg.Idle), EndsAt: now.Add(s.cfg.Lifetime),
	}
	err = s.cfg.Sessions.PutSession(r.Context(), row, orchestrator.Audit{
		Tenant: who.Tenant, Actor: who.Name, From: orchestrator.RemoteOf(r.Context()), Action: "session.begin", Reason: "signed in",
	})
	if err != nil {
		return fmt.Errorf("begin a session: %w", err)
	}
	s.set(w, r, sessionCookie, token, 0)
	return nil
}

func randomToken() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// find is whose session it is; an api.ErrUnauthenticated where it is nobody's.
func (s *sessions) find(ctx context.Context, token string) (whose signedIn, err error) {
	id := sha256.Sum256([]byte(token))
	known, ok := s.known.get(id)
	if !ok {
		if known, err = s.look(ctx, id); err != nil {
			return whose, err
		}
	}
	if !known.found || !s.cfg.Now().Before(known.row.EndsAt) {
		return whose, refused("the session is unknown or has ended")
	}
	if err := json.Unmarshal(known.row.Data, &whose); err != nil {
		return whose, fmt.Errorf("read a session: %w", err)
	}
	return whose, nil
}

func (s *sessions) look(ctx context.Context, id [32]byte) (knownSession, error) {
	found, err, _ := s.flight.Do(string(id[:]), func() (any, error) {
		began := s.cfg.Now()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookupLimit)
		defer cancel()
		row, err := s.cfg.Sessions.FindSession(ctx, id)
		if err != nil && !errors.Is(err, orchestrator.ErrNotFound) {
			return nil, fmt.Errorf("look for a session: %w", err)
		}
		known := knownSession{row, err == nil}
		s.known.put(id, known, began)
		if next := began.Add(s.cfg.Idle); known.found && next.Sub(row.IdleUntil) >= min(touchAfter, s.cfg.Idle/4) {
			if err := s.cfg.Sessions.TouchSession(ctx, id, next); err != nil {
				s.cfg.Logger.WarnContext(ctx, "session not moved on", "error", err)
			}
		}
		return known, nil
	})
	if err != nil {
		return knownSession{}, err
	}
	return found.(knownSession), nil
}

// end takes a session away. Other replicas may believe it for CacheFor.
func (s *sessions) end(ctx context.Context, token string) error {
	id := sha256.Sum256([]byte(token))
	if err := s.cfg.Sessions.EndSession(ctx, id); err != nil {
		return err
	}
	s.known.drop(id)
	return nil
}

// cookie is the session that the browser has.
func (s *sessions) cookie(r *http.Request) (token string, ok bool) { return s.read(r, sessionCookie) }

func (s *sessions) read(r *http.Request, name string) (string, bool) {
	c, err := r.Cookie(s.name(r, name))
	if err != nil || c.Value == "" || len(c.Value) > 4096 {
		return "", false
	}
	return c.Value, true
}

// set gives the browser a cookie; an empty value takes it away. maxAge 0: until the browser is closed.
func (s *sessions) set(w http.ResponseWriter, r *http.Request, name, value string, maxAge time.Duration) {
	c := &http.Cookie{
		Name: s.name(r, name), Value: value, Path: "/", Secure: !s.plain(r), HttpOnly: true, SameSite: http.SameSiteLaxMode,
		MaxAge: int(maxAge / time.Second),
	}
	if value == "" {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}

func (s *sessions) name(r *http.Request, name string) string {
	if s.plain(r) {
		return name
	}
	return hostPrefix + name
}

// plain reports whether cookies may go over plain HTTP: where a browser on this machine speaks to a server that nobody else reaches.
func (s *sessions) plain(r *http.Request) bool {
	return s.cfg.Loopback && r.TLS == nil && loopback(r.Host)
}

func loopback(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && addr.IsLoopback()
}
