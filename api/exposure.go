package api

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
)

// ErrExposed says that an address can be reached from other machines while nobody is authenticated.
var ErrExposed = errors.New("refusing to serve without authentication beyond loopback")

// CheckExposure is nil where it is safe to serve without authentication at addr (host:port): on loopback, or where the
// operator allows it. Otherwise it is ErrExposed. An empty host means all interfaces; a name other than localhost is not
// resolved and counts as exposed.
func CheckExposure(addr string, allowUnauthenticated bool) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("read the address %q: %w", addr, err)
	}
	if allowUnauthenticated || isLoopbackName(host) {
		return nil
	}
	return fmt.Errorf("%w: %s is reachable from other machines; listen on 127.0.0.1, or set SKALD_ALLOW_UNAUTHENTICATED=true", ErrExposed, addr)
}

// isLoopbackName reports whether a host without port means this machine, whatever DNS says.
func isLoopbackName(host string) bool {
	if strings.EqualFold(strings.TrimSuffix(host, "."), "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && addr.Unmap().IsLoopback() && addr.Zone() == ""
}

func hostOf(hostport string) string {
	if host, _, err := net.SplitHostPort(hostport); err == nil {
		return host
	}
	return hostport
}

// guard keeps other sites' pages away from a server that believes everyone on loopback. A page whose name was rebound to
// 127.0.0.1 shows in Host, a page of another site in Origin or Sec-Fetch-Site. Where users are authenticated, or the operator
// allows strangers, only the last is checked.
func (a *API) guard(next http.Handler) http.Handler {
	crossOrigin := http.NewCrossOriginProtection()
	loopbackOnly := a.cfg.Authenticator == nil && !a.cfg.AllowUnauthenticated
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if loopbackOnly {
			if why := notLoopback(r); why != "" {
				a.writeProblem(w, r, newProblem(http.StatusForbidden, "not_loopback", why))
				return
			}
		}
		if err := crossOrigin.Check(r); err != nil {
			a.writeProblem(w, r, newProblem(http.StatusForbidden, "cross_origin", "a page of another origin may not do this"))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// notLoopback says why a request may not come from this machine's own user; empty: it does.
func notLoopback(r *http.Request) string {
	if !isLoopbackName(hostOf(r.RemoteAddr)) {
		return "without authentication only this machine is served"
	}
	if !isLoopbackName(hostOf(r.Host)) {
		return fmt.Sprintf("without authentication only loopback names are served, not %.100q", r.Host)
	}
	origin := r.Header.Get("Origin")
	if origin == "" {
		return ""
	}
	u, err := url.Parse(origin)
	if err != nil || !isLoopbackName(u.Hostname()) {
		return fmt.Sprintf("without authentication only pages of this machine are served, not %.100q", origin)
	}
	return ""
}
