package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/skaldhq/skald/bench/load"
)

// watchRate is how many sagas are started a second while browsers look on: enough that something has changed at each hint.
const watchRate = 20

// watchLevel is so many browsers; reading: they read the page again at each hint.
type watchLevel struct {
	streams int
	reading bool
}

func watchLevels() []watchLevel {
	return []watchLevel{{0, false}, {200, false}, {1, true}, {200, true}}
}

// watchRounds measures what open pages of the dashboard cost, all numbers of them on one engine.
func watchRounds(ctx context.Context, s *settings, p programs, sv *servers, g *gathering) error {
	s = s.withCosts()
	for round := range s.rounds {
		if err := watchRound(ctx, s, p, sv, g, round); err != nil {
			return err
		}
	}
	return nil
}

func watchRound(ctx context.Context, s *settings, p programs, sv *servers, g *gathering, round int) error {
	e, err := startEngine(ctx, s, p, sv)
	if err != nil {
		return err
	}
	defer e.stop()
	for _, level := range watchLevels() {
		out, err := e.watched(ctx, level)
		if err != nil {
			return fmt.Errorf("%d browsers: %w", level.streams, err)
		}
		g.watching[level] = append(g.watching[level], out)
		m := measureOf(busyCPUOrchestrator)
		fmt.Printf("watch, round %d/%d: %d browsers, reading %t: %s %s\n", round+1, s.rounds, level.streams, level.reading, m.text(out[m.key]), m.title)
	}
	return nil
}

// watched drives the engine at a low rate while browsers look on.
func (e *engine) watched(ctx context.Context, level watchLevel) (sample, error) {
	b, err := e.browse(ctx, level)
	if err != nil {
		return nil, err
	}
	r, out, err := e.drive(ctx, load.Config{Rate: watchRate}, newPoster(e.base, posters, 0))
	if lost := b.close(); err == nil {
		err = lost
	}
	if err != nil {
		return nil, err
	}
	for name, key := range map[string]string{orchestratorProcess: busyCPUOrchestrator, postgresProcess: busyCPUPostgres} {
		out[key] = out[cpuPrefix+name] * float64(r.AllEnded()) / 1000 / r.Took.Seconds()
	}
	seconds := (e.s.warmUp + e.s.measure).Seconds()
	out[hints], out[pageReads] = float64(b.hints.Load())/seconds, float64(b.pages.Load())/seconds
	return out, nil
}

// browsers hold the dashboard's list of sagas open.
type browsers struct {
	base         string
	client       *http.Client
	reading      bool
	cancel       context.CancelFunc
	ended        sync.WaitGroup
	hints, pages atomic.Int64

	mu  sync.Mutex // guards err
	err error
}

// browse opens so many pages; it returns when all have their stream.
func (e *engine) browse(ctx context.Context, level watchLevel) (*browsers, error) {
	ctx, cancel := context.WithCancel(ctx)
	b := &browsers{
		base: e.base, reading: level.reading, cancel: cancel,
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: level.streams}},
	}
	for range level.streams {
		stream, err := b.get(ctx, "/live")
		if err != nil {
			b.failed(err)
			break
		}
		b.ended.Go(func() { b.failed(b.look(ctx, stream)) })
	}
	if err := b.lost(); err != nil {
		return nil, errors.Join(err, b.close())
	}
	return b, nil
}

func (b *browsers) get(ctx context.Context, path string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.base+path, nil)
	if err != nil {
		return nil, err
	}
	resp, err := b.client.Do(req)
	if err == nil && resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		err = fmt.Errorf("GET %s: %s", path, resp.Status)
	}
	return resp, err
}

// look follows the stream until the browser is closed. An end before that is an error.
func (b *browsers) look(ctx context.Context, stream *http.Response) error {
	defer stream.Body.Close()
	lines := bufio.NewScanner(stream.Body)
	for lines.Scan() {
		if !strings.HasPrefix(lines.Text(), "event: changed") {
			continue
		}
		b.hints.Add(1)
		if !b.reading {
			continue
		}
		read, err := b.get(ctx, "/sagas")
		if err == nil {
			_, err = io.Copy(io.Discard, read.Body)
			read.Body.Close()
		}
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		b.pages.Add(1)
	}
	if ctx.Err() != nil {
		return nil
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return errors.New("a stream ended by itself")
}

func (b *browsers) failed(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.err = errors.Join(b.err, err)
}

func (b *browsers) lost() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err
}

// close closes them all, and tells whether any failed before.
func (b *browsers) close() error {
	b.cancel()
	b.ended.Wait()
	b.client.CloseIdleConnections()
	return b.lost()
}
