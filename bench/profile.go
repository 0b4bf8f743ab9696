package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/pprof"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/skaldhq/skald/bench/load"
)

// profileAddr names the address on which the participants' process offers its profiles; not set: it offers none.
const profileAddr = "SKALD_BENCH_PROFILE_ADDR"

// offerProfiles offers this process's profiles, where that is asked for, until the process ends.
func offerProfiles() {
	addr := os.Getenv(profileAddr)
	if addr == "" {
		return
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	server := &http.Server{Addr: addr, Handler: mux, ReadHeaderTimeout: time.Second}
	go func() { _ = server.ListenAndServe() }() // ends with the process; whoever asks in vain says so
}

// profile writes profiles of the first replica and of the participants, taken in the measured span that begins now, into a folder
// named for the load.
func (e *engine) profile(ctx context.Context, cfg *load.Config) error {
	dir := filepath.Join(e.s.profiles, fmt.Sprintf("inflight-%d", cfg.InFlight))
	if cfg.Rate > 0 {
		dir = filepath.Join(e.s.profiles, fmt.Sprintf("rate-%g", cfg.Rate))
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	var wg sync.WaitGroup
	var mu sync.Mutex // guards errs
	var errs []error
	for side, base := range map[string]string{orchestratorProcess: e.admin, participantsProcess: e.participantsProfiles} {
		for _, kind := range []string{"profile", "allocs"} {
			wg.Go(func() {
				err := save(ctx, fmt.Sprintf("%s/debug/pprof/%s?seconds=%d", base, kind, max(1, int(e.s.measure.Seconds()))), filepath.Join(dir, side+"."+kind))
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, err)
			})
		}
	}
	wg.Wait()
	return errors.Join(errs...)
}

func save(ctx context.Context, url, path string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, resp.Status)
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, resp.Body)
	return errors.Join(err, f.Close())
}
