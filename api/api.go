package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"
	"github.com/go-chi/chi/v5"
	"golang.org/x/sync/errgroup"

	"github.com/skaldhq/skald/api/dashboard"
	"github.com/skaldhq/skald/api/docsui"
	"github.com/skaldhq/skald/orchestrator"
)

// Config is what an API is made of. Engine and Hub are required; the Hub must observe the engine.
type Config struct {
	Engine  Engine
	Hub     *Hub
	Metrics *Metrics  // nil: nothing is counted
	Events  EventTail // nil: GET /v1/events answers 503

	// Authenticator finds out who asks. nil: everyone is admin of the tenant default, and only this machine is served.
	Authenticator Authenticator
	// SignIn signs browsers in. nil: the dashboard has no sign-in page.
	SignIn SignIn
	Keys   orchestrator.APIKeys // that admins make and end; nil: none, and their routes answer 503
	// AllowUnauthenticated serves other machines too though nobody is authenticated (see CheckExposure).
	AllowUnauthenticated bool
	RatePerSecond        float64 // requests of one principal, with bursts of twice as many; 0: no limit

	Audit        orchestrator.AuditLog           // nil: there is none, and its route answers 503
	Ready        func(ctx context.Context) error // what must hold beside Engine.Ready; nil: nothing
	CommandTopic func(participant string) string // names the topic in histories; nil: it is left out
	Tracing      Tracing                         // zero: requests are not traced
	Version      string                          // of the program
	Logger       *slog.Logger                    // nil: slog.Default

	PollEvery  time.Duration // of the revisions of watched sagas; 0: 500 ms
	MaxStreams int           // at a time, beyond them 503; 0: 1,024
	DrainLimit time.Duration // of open requests at the end; 0: 20 s
}

// API is the REST API. Its handlers are safe for concurrent use.
type API struct {
	cfg     Config
	log     *slog.Logger
	huma    huma.API
	mux     *chi.Mux
	rates   *rates
	feed    *feed
	streams *streams
	pages   *dashboard.Dashboard
	counts  *counts
	// lookAgain is how often an open stream looks whether who opened it is still let in.
	lookAgain time.Duration
	tails     chan struct{} // a token per stream that reads skald.events on its own
}

// maxBodyBytes is beyond every route's own limit; it bounds what is read of bodies that nobody wants.
const maxBodyBytes = 2 << 20

// New makes an API. Its Handler works at once; streams are prompt about other replicas' changes only while Run runs.
func New(cfg Config) (*API, error) {
	if cfg.Engine == nil || cfg.Hub == nil {
		return nil, errors.New("make the API: Engine and Hub are required")
	}
	cfg.setDefaults()
	a := &API{
		cfg: cfg, log: cfg.Logger, rates: newRates(cfg.RatePerSecond), streams: newStreams(cfg.MaxStreams),
		lookAgain: beatEvery, tails: make(chan struct{}, ownTailsMax), counts: &counts{read: cfg.Engine.Reader().Stats},
	}
	if cfg.Events != nil {
		a.feed = newFeed(cfg.Events, cfg.Logger)
	}
	a.mux = chi.NewMux()
	if cfg.Tracing.Provider != nil {
		a.mux.Use(a.traced) // first, so that what the others log is of the trace
	}
	a.mux.Use(a.observe, harden, a.guard, limitBody)
	a.mux.NotFound(func(w http.ResponseWriter, r *http.Request) {
		a.writeProblem(w, r, newProblem(http.StatusNotFound, codeUnknownRoute, "there is no such page; GET /docs lists all"))
	})
	a.mux.MethodNotAllowed(func(w http.ResponseWriter, r *http.Request) {
		p := newProblem(http.StatusMethodNotAllowed, codeMethod, "this method is not allowed here")
		p.allow = a.allowed(r.URL.Path)
		a.writeProblem(w, r, p)
	})
	a.huma = humachi.New(a.mux, describe(cfg.Version))
	a.huma.UseMiddleware(a.authorize)
	a.registerAll()
	if err := a.serveDescription(); err != nil {
		return nil, err
	}
	docsui.Mount(func(pattern string, h http.Handler) { a.mux.Method(http.MethodGet, pattern, withPolicy(policyDocs, h)) })
	if err := a.mountPages(); err != nil {
		return nil, err
	}
	return a, nil
}

func (c *Config) setDefaults() {
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Metrics == nil {
		c.Metrics = NewMetrics()
	}
	if c.Version == "" {
		c.Version = "dev"
	}
	if c.PollEvery <= 0 {
		c.PollEvery = 500 * time.Millisecond
	}
	if c.MaxStreams <= 0 {
		c.MaxStreams = 1024
	}
	if c.DrainLimit <= 0 {
		c.DrainLimit = 20 * time.Second
	}
}

func describe(version string) huma.Config {
	cfg := huma.DefaultConfig("Skald", version)
	cfg.Info.Description = "Starts, watches and operates sagas. Every error is problem+json with a stable `code`. " +
		"Lists page by cursor. Writes may carry an Idempotency-Key, kept for 7 days."
	cfg.OpenAPIPath = "" // huma's handler keeps what it wrote without a lock
	cfg.DocsPath = ""    // huma's loads scripts from another site
	cfg.SchemasPath = ""
	cfg.CreateHooks = nil // they add $schema to every answer
	cfg.RejectUnknownQueryParameters = true
	cfg.Transformers = []huma.Transformer{translate}
	return cfg
}

// registerAll declares every route of design section 8 that this package has.
func (a *API) registerAll() {
	a.registerStart()
	a.registerList()
	a.registerSaga()
	a.registerHistory()
	a.registerGraph()
	a.registerSagaEvents()
	a.registerEvents()
	a.registerActions()
	a.registerRebind()
	a.registerOperations()
	a.registerDefinitions()
	a.registerHolds()
	a.registerLimits()
	a.registerQuarantine()
	a.registerAudit()
	a.registerKeys()
	a.registerStats()
	a.registerParticipants()
	a.registerHealth()
	a.openAnswers()
}

// openAnswers lets the description of answers allow fields that come later; only requests are closed.
func (a *API) openAnswers() {
	requests := []string{"StartRequest", "ActRequest", "RebindRequest", "OperationRequest", "OperationFilter", "ReasonRequest", "HoldRequest", "APIKeyRequest", "APIKeyRotation", "QuarantineRequest", "QuarantineManyRequest", "QuarantineWhich"}
	for name, schema := range a.huma.OpenAPI().Components.Schemas.Map() {
		if !slices.Contains(requests, name) && schema.AdditionalProperties == false {
			schema.AdditionalProperties = nil
		}
	}
}

// serveDescription serves the OpenAPI document. Every route is registered by now.
func (a *API) serveDescription() error {
	spec, err := json.Marshal(a.huma.OpenAPI())
	if err != nil {
		return fmt.Errorf("write the OpenAPI document: %w", err)
	}
	a.mux.Get("/openapi.json", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/openapi+json")
		w.Header().Set("Cache-Control", "no-cache")
		_, _ = w.Write(spec) // the client is gone when this fails
	})
	return nil
}

// Handler serves everything but metrics and pprof (AdminHandler).
func (a *API) Handler() http.Handler { return a.mux }

// Run keeps streams prompt until ctx ends, and then ends them. It returns nil.
func (a *API) Run(ctx context.Context) error {
	defer a.streams.end()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return a.cfg.Hub.poll(ctx, a.cfg.Engine.Reader(), a.cfg.PollEvery, a.log) })
	if a.feed != nil {
		group.Go(func() error { return a.feed.run(ctx) })
	}
	group.Go(func() error { return a.pages.Run(ctx) })
	if err := group.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("watch for changes: %w", err)
	}
	return nil
}

// allowed lists the methods of a path, for Allow.
func (a *API) allowed(path string) string {
	var out []string
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete} {
		if a.mux.Match(chi.NewRouteContext(), method, path) {
			out = append(out, method)
		}
	}
	return strings.Join(out, ", ")
}

func limitBody(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Body != nil && r.Body != http.NoBody {
			r.Body = http.MaxBytesReader(w, r.Body, maxBodyBytes)
		}
		next.ServeHTTP(w, r)
	})
}
