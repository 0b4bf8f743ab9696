package dashboard

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/a-h/templ"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/api/dashboard/assets"
	"github.com/skaldhq/skald/api/dashboard/ui"
)

// Config is what a Dashboard is made of. Backend and Count are required.
type Config struct {
	Backend Backend
	Count   CountFunc        // for the charts
	Tally   TallyFunc        // nil: the charts have no rates
	Now     func() time.Time // nil: time.Now
	Version string           // of the program
	Logger  *slog.Logger     // nil: slog.Default
}

// Dashboard serves the pages. It is safe for concurrent use.
type Dashboard struct {
	backend Backend
	assets  *assets.Set
	series  *series
	now     func() time.Time
	version string
	log     *slog.Logger
}

// New makes a Dashboard. Its pages work at once; the charts fill only while Run runs.
func New(cfg Config) (*Dashboard, error) {
	if cfg.Backend == nil || cfg.Count == nil {
		return nil, errors.New("make the dashboard: Backend and Count are required")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	set, err := assets.New(sagaAssets()...)
	if err != nil {
		return nil, fmt.Errorf("make the dashboard: %w", err)
	}
	return &Dashboard{
		backend: cfg.Backend, assets: set, series: newSeries(cfg.Count, cfg.Tally), now: cfg.Now, version: cfg.Version, log: cfg.Logger,
	}, nil
}

// Run counts for the charts until ctx ends, whose error it returns.
func (d *Dashboard) Run(ctx context.Context) error { return d.series.run(ctx, d.log) }

// Asset is the URL of an asset.
func (d *Dashboard) Asset(name string) string { return d.assets.URL(name) }

// page is the head of a page for who asks.
func (d *Dashboard) page(r *http.Request, section ui.Section, title string) ui.Page {
	who := d.backend.Viewer(r.Context())
	return ui.Page{Title: title, Section: section, Shell: &ui.Shell{
		Asset: d.assets.URL, Version: d.version, Name: who.Name, Tenant: who.Tenant, Alarms: d.series.alarms(who.Tenant),
		Roles: who.Roles, Session: who.Session, May: who.May,
	}}
}

func (d *Dashboard) may(r *http.Request, permission string) bool {
	return d.backend.Viewer(r.Context()).May(permission)
}

// write renders a page whole before the first byte goes out, so that what fails on the way is an error page and not half of one.
func (d *Dashboard) write(w http.ResponseWriter, r *http.Request, status int, page templ.Component) {
	var buf bytes.Buffer
	if err := page.Render(r.Context(), &buf); err != nil {
		d.log.ErrorContext(r.Context(), "page not rendered", "path", r.URL.Path, "error", err)
		http.Error(w, "this page cannot be shown; the log has more", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store") // payloads stay in no browser's cache
	w.WriteHeader(status)
	_, _ = w.Write(buf.Bytes()) // the client is gone when this fails
}

// handle makes a handler of a page that may fail.
func (d *Dashboard) handle(section ui.Section, page func(w http.ResponseWriter, r *http.Request) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := page(w, r); err != nil {
			d.fail(w, r, section, err)
		}
	})
}

// fail answers with a page that says what went wrong and what to do next.
func (d *Dashboard) fail(w http.ResponseWriter, r *http.Request, section ui.Section, err error) {
	problem := problemOf(err)
	if problem.Status >= 500 {
		d.log.ErrorContext(r.Context(), "page failed", "path", r.URL.Path, "request_id", problem.RequestID, "error", err)
	}
	d.write(w, r, problem.Status, failed(d.page(r, section, problem.Title), problem))
}

// Refuse answers whoever may not see a page, or shows no credentials, as a page.
func (d *Dashboard) Refuse(w http.ResponseWriter, r *http.Request, problem client.Problem) {
	d.write(w, r, problem.Status, failed(d.page(r, "", problem.Title), problem))
}

func problemOf(err error) client.Problem {
	var known *client.Error
	if errors.As(err, &known) {
		return known.Problem
	}
	return client.Problem{Title: http.StatusText(http.StatusInternalServerError), Status: http.StatusInternalServerError, Code: "internal", Detail: "something is wrong here; the log has more"}
}

// seeOther sends the browser on after a form.
func seeOther(w http.ResponseWriter, r *http.Request, to string) {
	http.Redirect(w, r, to, http.StatusSeeOther)
}
