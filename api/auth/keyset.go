package auth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

// errTooSoon says that the keys were fetched a moment ago: a token of a key that is not among them is nobody's.
var errTooSoon = errors.New("the keys were fetched a moment ago")

// keySet are the provider's keys: fetched when they are needed, kept for keysFreshFor, and fetched once in refetchEvery at most, however
// many tokens of unknown keys come. No token says where keys are: jku and x5u are not followed.
type keySet struct {
	client *http.Client
	url    string
	now    func() time.Time

	mu      sync.Mutex // guards what follows
	current *oidc.RemoteKeySet
	born    time.Time
	before  *oidc.RemoteKeySet // while current has fetched nothing
	oldBorn time.Time
}

var _ oidc.KeySet = (*keySet)(nil)

func newKeySet(client *http.Client, url string, now func() time.Time) *keySet {
	return &keySet{client: client, url: url, now: now}
}

// VerifySignature implements oidc.KeySet. Where the keys cannot be had, the error is put beside (fetchErrorOf): the verifier keeps no
// chain of errors.
func (k *keySet) VerifySignature(ctx context.Context, jwt string) ([]byte, error) {
	current, before := k.sets()
	payload, err := current.VerifySignature(ctx, jwt)
	var fetch *fetchError
	if err == nil || !errors.As(err, &fetch) && ctx.Err() == nil {
		return payload, err
	}
	if before != nil {
		if payload, err := before.VerifySignature(ctx, jwt); err == nil {
			return payload, nil
		}
	}
	if !errors.Is(err, errTooSoon) {
		noteFetchError(ctx, err)
	}
	return nil, err
}

func (k *keySet) sets() (current, before *oidc.RemoteKeySet) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	if k.current == nil || now.Sub(k.born) >= keysFreshFor {
		client := *k.client
		client.Transport = &seldom{next: k.client.Transport, now: k.now}
		k.before, k.oldBorn = k.current, k.born
		k.current, k.born = oidc.NewRemoteKeySet(oidc.ClientContext(context.Background(), &client), k.url), now
	}
	if now.Sub(k.oldBorn) >= keysTrustedAt {
		k.before = nil
	}
	return k.current, k.before
}

// fetchError says that the provider did not give what it was asked for.
type fetchError struct{ err error }

func (e *fetchError) Error() string { return e.err.Error() }
func (e *fetchError) Unwrap() error { return e.err }

type fetchKey struct{}

// withFetchError makes room for an error of fetching keys.
func withFetchError(ctx context.Context) (context.Context, *error) {
	var err error
	return context.WithValue(ctx, fetchKey{}, &err), &err
}

func noteFetchError(ctx context.Context, err error) {
	if at, ok := ctx.Value(fetchKey{}).(*error); ok {
		*at = err
	}
}

// guarded bounds what a provider answers, and tells failures to answer from all others.
type guarded struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (g *guarded) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := g.next.RoundTrip(r)
	if err != nil {
		return nil, &fetchError{err}
	}
	if resp.StatusCode >= http.StatusInternalServerError || r.Method == http.MethodGet && resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		return nil, &fetchError{fmt.Errorf("%s answered %s", r.URL.Redacted(), resp.Status)}
	}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.LimitReader(resp.Body, fetchBytes), resp.Body}
	return resp, nil
}

// seldom lets a request pass once in refetchEvery. In between it answers errTooSoon, or how the last one failed: while the provider is
// away, nobody is told that their token is wrong.
type seldom struct {
	next http.RoundTripper
	now  func() time.Time

	mu     sync.Mutex // guards what follows
	last   time.Time
	failed error // the last one; nil: it went well
}

// RoundTrip implements http.RoundTripper.
func (s *seldom) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock() // a RemoteKeySet sends one at a time
	now := s.now()
	if !s.last.IsZero() && now.Sub(s.last) < refetchEvery {
		if s.failed != nil {
			return nil, s.failed
		}
		return nil, &fetchError{errTooSoon}
	}
	resp, err := s.next.RoundTrip(r)
	s.last, s.failed = now, err
	return resp, err
}
