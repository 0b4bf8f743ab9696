package main

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/skaldhq/skald/api/client"
)

// meterSpan is how far back rates go.
const meterSpan = 10

// meter counts events of the last seconds by what they tell. It is safe for concurrent use.
type meter struct {
	mu      sync.Mutex // guards what follows
	since   time.Time  // from when on events are counted; zero: not yet
	seconds [meterSpan]struct {
		second int64
		counts map[string]int
	}
}

// metered are the rates that are shown, by the end of an event's type.
func metered() [][2]string {
	return [][2]string{
		{"saga.started", "started"},
		{"saga.completed", "completed"},
		{"saga.compensated", "compensated"},
		{"saga.abandoned", "abandoned"},
		{"attention.raised", "attention"},
	}
}

// follow counts what is published until ctx ends. A stream that breaks is followed anew.
func (m *meter) follow(ctx context.Context, c *client.Client) {
	for last := ""; ctx.Err() == nil; {
		for event, err := range c.Events(ctx, last) {
			if err != nil {
				break
			}
			m.count(event.Type, time.Now())
			last = event.ID
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

func (m *meter) count(kind string, now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	at := &m.seconds[now.Unix()%meterSpan]
	if at.second != now.Unix() {
		at.second, at.counts = now.Unix(), map[string]int{}
	}
	for _, k := range metered() {
		if strings.HasSuffix(kind, k[0]) {
			at.counts[k[1]]++
		}
	}
}

// rates are those over the whole seconds before now.
func (m *meter) rates(now time.Time) []rate {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.since.IsZero() {
		m.since = now
	}
	span := min(now.Sub(m.since).Seconds(), meterSpan-1)
	out := make([]rate, 0, len(metered()))
	for _, k := range metered() {
		n := 0
		for i := range m.seconds {
			if at := &m.seconds[i]; at.second > now.Unix()-meterSpan && at.second < now.Unix() {
				n += at.counts[k[1]]
			}
		}
		out = append(out, rate{k[1], float64(n) / max(span, 1)})
	}
	return out
}
