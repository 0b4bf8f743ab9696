package api

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/skaldhq/skald/api/dashboard"
	"github.com/skaldhq/skald/orchestrator"
)

// SignIn signs browsers in and out. Its methods set cookies and answer nothing else. It is safe for concurrent use.
type SignIn interface {
	// Ways are how one can sign in.
	Ways() SignInWays
	// WithKey begins a session for the holder of an API key: ErrUnauthenticated where it is no good one, a *ThrottledError after too
	// many such, ErrPlainHTTP where the browser would not keep the cookie.
	WithKey(w http.ResponseWriter, r *http.Request, key string) error
	// Begin is where the provider signs people in, who come back to Finish and then want to see next.
	Begin(w http.ResponseWriter, r *http.Request, next string) (at string, err error)
	// Finish begins a session for whom the provider sends back, and says what they wanted to see. ErrUnauthenticated: they are not let in.
	Finish(w http.ResponseWriter, r *http.Request) (next string, err error)
	// Leave ends the session; it is harmless where there is none.
	Leave(w http.ResponseWriter, r *http.Request) error
}

// SignInWays are the ways to sign in.
type SignInWays struct {
	Key      bool   // an API key
	Provider string // its name; empty: there is none
}

// ErrPlainHTTP says that a browser keeps no session over plain HTTP from another machine.
var ErrPlainHTTP = errors.New("this page came over plain HTTP: a session is kept over https alone")

// ThrottledError says that somebody failed too often.
type ThrottledError struct{ Wait time.Duration }

func (e *ThrottledError) Error() string {
	return fmt.Sprintf("too many failed tries to sign in: wait %s", e.Wait.Round(time.Second))
}

const (
	signInPath   = "/sign-in"
	nextMax      = 2048
	signInFormKB = 16
)

// mountSignIn mounts the sign-in page, which everybody may see. Forms of other origins are refused by the guard.
func (a *API) mountSignIn() {
	if a.cfg.SignIn == nil {
		return
	}
	mount := func(method, path string, handle http.HandlerFunc) {
		a.mux.Method(method, path, withPolicy(policyPages, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Referrer-Policy", "same-origin")
			w.Header().Set("Cache-Control", "no-store")
			handle(w, r)
		})))
	}
	mount(http.MethodGet, signInPath, func(w http.ResponseWriter, r *http.Request) {
		a.signInPage(w, r, http.StatusOK, localPath(r.URL.Query().Get("next")), "")
	})
	mount(http.MethodPost, signInPath, a.signInWithKey)
	mount(http.MethodGet, signInPath+"/provider", a.beginSignIn)
	mount(http.MethodGet, signInPath+"/callback", a.finishSignIn)
	mount(http.MethodPost, "/sign-out", a.signOut)
}

func (a *API) signInPage(w http.ResponseWriter, r *http.Request, status int, next, wrong string) {
	ways := a.cfg.SignIn.Ways()
	page := dashboard.SignIn{Key: ways.Key, Provider: ways.Provider, Next: next, Wrong: wrong}
	if who, err := a.authenticate(r); err == nil && wrong == "" {
		page.As = who.Name
	}
	a.pages.SignIn(w, r, status, page)
}

func (a *API) signInWithKey(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, signInFormKB<<10)
	if err := r.ParseForm(); err != nil {
		a.signInPage(w, r, http.StatusBadRequest, "/", "the form cannot be read")
		return
	}
	next := localPath(r.PostFormValue("next"))
	if err := a.cfg.SignIn.WithKey(w, r, r.PostFormValue("key")); err != nil {
		a.refuseSignIn(w, r, next, "This is no API key that is good now.", err)
		return
	}
	http.Redirect(w, r, next, http.StatusSeeOther)
}

func (a *API) beginSignIn(w http.ResponseWriter, r *http.Request) {
	next := localPath(r.URL.Query().Get("next"))
	at, err := a.cfg.SignIn.Begin(w, r, next)
	if err != nil {
		a.refuseSignIn(w, r, next, "", err)
		return
	}
	http.Redirect(w, r, at, http.StatusSeeOther)
}

func (a *API) finishSignIn(w http.ResponseWriter, r *http.Request) {
	next, err := a.cfg.SignIn.Finish(w, r)
	if err != nil {
		a.refuseSignIn(w, r, "/", "The identity provider did not sign you in, or named nobody who may come in here. The log says why.", err)
		return
	}
	http.Redirect(w, r, localPath(next), http.StatusSeeOther)
}

// refuseSignIn shows the page again, with what went wrong; the cause goes to the log.
func (a *API) refuseSignIn(w http.ResponseWriter, r *http.Request, next, wrong string, err error) {
	var throttled *ThrottledError
	status := http.StatusServiceUnavailable
	switch {
	case errors.As(err, &throttled):
		status, wrong = http.StatusTooManyRequests, throttled.Error()
		w.Header().Set("Retry-After", fmt.Sprint(int(throttled.Wait/time.Second)+1))
	case errors.Is(err, ErrPlainHTTP):
		status, wrong = http.StatusForbidden, err.Error()
	case errors.Is(err, ErrUnauthenticated):
		status = http.StatusUnauthorized
		a.log.WarnContext(r.Context(), "not signed in", "request_id", requestOf(r.Context()).id, "remote", orchestrator.RemoteOf(r.Context()), "error", err)
	case errors.Is(err, orchestrator.ErrNotFound):
		status, wrong = http.StatusNotFound, "There is no identity provider here."
	default:
		wrong = "It cannot be found out who you are right now. Try again in a moment."
		a.log.ErrorContext(r.Context(), "sign-in failed", "request_id", requestOf(r.Context()).id, "error", err)
	}
	a.signInPage(w, r, status, next, wrong)
}

func (a *API) signOut(w http.ResponseWriter, r *http.Request) {
	if err := a.cfg.SignIn.Leave(w, r); err != nil {
		a.log.ErrorContext(r.Context(), "session not ended", "request_id", requestOf(r.Context()).id, "error", err)
		a.signInPage(w, r, http.StatusServiceUnavailable, "/", "The session could not be ended: the database cannot be reached. Sign out again in a moment.")
		return
	}
	http.Redirect(w, r, signInPath, http.StatusSeeOther)
}

// sendToSignIn sends a browser to the sign-in page, and from there back to what it wanted to see; false: no browser asks.
func (a *API) sendToSignIn(w http.ResponseWriter, r *http.Request) bool {
	partial := r.Header.Get("HX-Request") == "true" // a part of a page: the whole page has to go
	if !partial && !strings.Contains(r.Header.Get("Accept"), "text/html") {
		return false
	}
	next := r.URL.RequestURI()
	if r.Method != http.MethodGet || partial {
		next = pathOfReferer(r)
	}
	at := signInPath
	if next = localPath(next); next != "/" {
		at += "?next=" + url.QueryEscape(next)
	}
	w.Header().Set("Cache-Control", "no-store")
	if partial {
		w.Header().Set("HX-Redirect", at)
		w.WriteHeader(http.StatusUnauthorized)
		return true
	}
	http.Redirect(w, r, at, http.StatusSeeOther)
	return true
}

// pathOfReferer is the page that a form was on; empty: not known, or of another host.
func pathOfReferer(r *http.Request) string {
	u, err := url.Parse(r.Header.Get("Referer"))
	if err != nil || u.Host != r.Host {
		return ""
	}
	return u.RequestURI()
}

// localPath is a path of this server; "/" for everything else: a link to the sign-in page must lead nobody to another site.
func localPath(next string) string {
	if len(next) > nextMax || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") ||
		strings.ContainsFunc(next, func(r rune) bool { return r < ' ' || r == '\\' || r == 0x7f }) {
		return "/"
	}
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || strings.HasPrefix(u.Path, "//") || strings.HasPrefix(u.Path, signInPath) || u.Path == "/sign-out" {
		return "/"
	}
	return u.RequestURI()
}
