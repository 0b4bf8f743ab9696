package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// engineMetrics are those of a replica that the benchmark reads.
type engineMetrics struct{ events, batches, commitSeconds float64 }

// scrape reads a replica's /metrics.
func scrape(ctx context.Context, url string) (engineMetrics, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return engineMetrics{}, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return engineMetrics{}, fmt.Errorf("read the engine's metrics: %w", err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("answered %s", resp.Status)
	}
	if err != nil {
		return engineMetrics{}, fmt.Errorf("read the engine's metrics: %w", err)
	}
	return parseMetrics(string(text))
}

// parseMetrics reads the sums of two histograms from the text format. One that is not there is an error: its name has changed.
func parseMetrics(text string) (m engineMetrics, err error) {
	wanted := map[string]*float64{
		"skald_batch_events_sum": &m.events, "skald_batch_events_count": &m.batches, "skald_commit_seconds_sum": &m.commitSeconds,
	}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		into, ok := wanted[name]
		if !ok {
			continue
		}
		if *into, err = strconv.ParseFloat(value, 64); err != nil {
			return m, fmt.Errorf("read metric %s: %w", name, err)
		}
		delete(wanted, name)
	}
	for name := range wanted {
		return m, fmt.Errorf("the engine has no metric %s", name)
	}
	return m, nil
}

// between are the means over a span.
func (m engineMetrics) between(later engineMetrics) sample {
	n := later.batches - m.batches
	if n <= 0 {
		return sample{}
	}
	return sample{batchEvents: (later.events - m.events) / n, commitMS: (later.commitSeconds - m.commitSeconds) / n * 1000}
}
