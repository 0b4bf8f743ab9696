package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/skaldhq/skald/bench/fill"
)

// Read is what one request of the API takes on a filled database, one at a time.
type Read struct {
	What   string  `json:"what"`
	Path   string  `json:"path"`  // of the last request
	Items  int     `json:"items"` // in its answer; 1 where it is not a list
	Count  int64   `json:"count"` // requests
	P50    float64 `json:"p50_ms"`
	P95    float64 `json:"p95_ms,omitempty"`
	P99    float64 `json:"p99_ms"`
	Max    float64 `json:"max_ms"`
	Counts bool    `json:"counts"`         // it counts: that may take 200 ms before it becomes a lower bound, so it is no part of the goal
	Page   bool    `json:"page,omitempty"` // it is a page of the dashboard, which has a goal of its own
}

// kind tells what is timed apart.
type kind int

const (
	listed  kind = iota // a list or a read
	counted             // it counts
	page                // a page of the dashboard
)

// request is a kind of request; path is that of number n.
type request struct {
	what string
	path func(n int) string
	kind kind
}

// readSized times every filter and every way to read one saga, and asks Postgres whether any of them read a table in sequence. What
// counts may do that, so it comes after.
func readSized(ctx context.Context, s *settings, p programs, sv *servers, dsn string, into *sizing) error {
	scanned, err := readKinds(ctx, s, p, sv, dsn, into, listed)
	if err != nil {
		return err
	}
	into.scanned = scanned
	_, err = readKinds(ctx, s, p, sv, dsn, into, counted, page)
	return err
}

// readKinds times the requests of some kinds, and answers how many rows they read in sequence.
func readKinds(ctx context.Context, s *settings, p programs, sv *servers, dsn string, into *sizing, kinds ...kind) (int64, error) {
	e, err := startEngineOn(ctx, s, p, sv, dsn, func() {})
	if err != nil {
		return 0, err
	}
	defer e.stop()
	before, err := e.costs.scanned(ctx)
	if err != nil {
		return 0, err
	}
	r := reader{base: e.base, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1}, Timeout: time.Minute}}
	defer r.client.CloseIdleConnections()
	requests, err := r.requests(ctx, s)
	if err != nil {
		return 0, err
	}
	for _, each := range requests {
		if !slices.Contains(kinds, each.kind) {
			continue
		}
		read, err := r.time(ctx, each, s.reads)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", each.what, err)
		}
		into.reads = append(into.reads, read)
		fmt.Printf("%-34s p50 %s ms, p95 %s ms, p99 %s ms, %d items\n", read.What, number(read.P50, 1), number(read.P95, 1), number(read.P99, 1), read.Items)
	}
	e.end() // its sessions report what they counted when they end
	if err := e.costs.alone(ctx); err != nil {
		return 0, err
	}
	after, err := e.costs.scanned(ctx)
	return after - before, err
}

// reader reads the API.
type reader struct {
	base   string
	client *http.Client
}

type firstPage struct {
	Items []struct {
		ID string `json:"id"`
	} `json:"items"`
	NextCursor string `json:"next_cursor"`
}

func (r *reader) get(ctx context.Context, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.base+path, nil)
	if err != nil {
		return nil, err
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %w", path, refusedWith(resp.StatusCode, body))
	}
	return body, err
}

// requests are all kinds. Values that many sagas share differ from one request to the next, so that no page is read twice in a row.
func (r *reader) requests(ctx context.Context, s *settings) ([]request, error) {
	list := func(what, query string) request {
		return request{what: what, path: func(int) string { return "/v1/sagas?" + query }}
	}
	counting := func(what, query string) request {
		out := list(what, query+"&count=true")
		out.kind = counted
		return out
	}
	at := func(ago time.Duration) string {
		return url.QueryEscape(time.Now().Add(-ago).UTC().Format(time.RFC3339))
	}
	week := 7 * 24 * time.Hour
	old := "created_before=" + at(sizeWeeks*week/2)
	body, err := r.get(ctx, "/v1/sagas?limit=200&"+old)
	var deep firstPage
	if err == nil {
		err = json.Unmarshal(body, &deep)
	}
	if err == nil && (len(deep.Items) == 0 || deep.NextCursor == "") {
		err = errors.New("too few sagas are stored for a second page of the older half")
	}
	if err != nil {
		return nil, fmt.Errorf("find ids: %w", err)
	}
	one := func(what, suffix string) request {
		return request{what: what, path: func(n int) string { return "/v1/sagas/" + deep.Items[n%len(deep.Items)].ID + suffix }}
	}
	all := []request{
		list("newest", ""),
		list("created_after", "created_after="+at(week/2)),
		list("created_before", old),
		list("deep cursor", old+"&limit=200&cursor="+deep.NextCursor),
		list("status, most", "status=completed"),
		list("status, live", "status=running,compensating,suspended"),
		list("status, one that lives", "status=running"),
		list("status, rare", "status=suspended"),
		list("status, rare ends", "status=compensated,abandoned"),
		list("saga, common", "saga="+fill.Common),
		list("saga, rare", "saga="+fill.Rare),
		list("saga and status", "saga="+fill.Second+"&status=suspended"),
		list("attention, any", "attention=any"),
		list("attention, one", "attention=undo_failed"),
		list("blocked_on, reply", "blocked_on=reply"),
		list("blocked_on, backoff", "blocked_on=backoff"),
		list("blocked_on, hold", "blocked_on=hold"),
		list("blocked_on, attention", "blocked_on=attention"),
		list("blocked_on, unpublished", "blocked_on=unpublished"),
		list("participant", "participant=bench"),
		list("participant, none", "participant=nobody"),
		{what: "key", path: func(n int) string { return "/v1/sagas?key=" + fill.Key(n*7919%s.stored) }},
		list("label, common", "label=region:eu"),
		list("label, rare", "label=vip:yes"),
		{what: "label, one customer", path: func(n int) string { return "/v1/sagas?label=customer:" + fill.Customer(n, s.stored) }},
		list("label, none", "label=customer:nobody"),
		one("one saga", ""),
		one("its history", "/history"),
		counting("count", "limit=50"),
		counting("count, live", "status=running,compensating,suspended"),
		counting("count, label", "label=region:eu"),
		{what: "stats", path: func(int) string { return "/v1/stats" }, kind: counted},
		{what: "participants", path: func(int) string { return "/v1/participants" }, kind: counted},
	}
	return append(all, pages(s, deep.Items[0].ID)...), nil
}

// time sends n requests of a kind, after a few that are not counted.
func (r *reader) time(ctx context.Context, each request, n int) (Read, error) {
	const warm = 3
	h := hdrhistogram.New(1, time.Minute.Microseconds(), 3)
	out := Read{What: each.what, Items: 1, Counts: each.kind == counted, Page: each.kind == page}
	var body []byte
	for i := range warm + n {
		var err error
		out.Path = each.path(i)
		began := time.Now()
		if body, err = r.get(ctx, out.Path); err != nil {
			return out, err
		}
		if i < warm {
			continue
		}
		if err := h.RecordValue(min(time.Since(began), time.Minute).Microseconds()); err != nil {
			return out, err
		}
	}
	at := func(q float64) float64 { return float64(h.ValueAtQuantile(q)) / 1000 }
	out.Count, out.P50, out.P95, out.P99, out.Max = h.TotalCount(), at(50), at(95), at(99), float64(h.Max())/1000
	if out.Page {
		return out, nil
	}
	var items struct {
		Items *[]json.RawMessage `json:"items"`
	}
	err := json.Unmarshal(body, &items)
	if items.Items != nil {
		out.Items = len(*items.Items)
	}
	return out, err
}

// scanned is how many rows of sagas and histories were ever read in sequence, not by an index.
func (c *costs) scanned(ctx context.Context) (n int64, err error) {
	err = c.pg.QueryRow(ctx, `SELECT coalesce(sum(seq_tup_read), 0)::bigint
FROM pg_stat_user_tables
WHERE schemaname = 'skald' AND (relname LIKE 'sagas%' OR relname LIKE 'history%')`).Scan(&n)
	if err != nil {
		err = fmt.Errorf("read the tables' statistics: %w", err)
	}
	return n, err
}
