package dashboard

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/skaldhq/skald/api/dashboard/ui"
)

// point is a value at a moment.
type point struct {
	at time.Time
	v  float64
}

// line is one line of a chart.
type line struct {
	name   string
	tone   ui.Tone
	points []point
}

// The size of a chart's drawing, in its own units.
const (
	chartWidth  = 600
	chartHeight = 120
)

// chart is the lines of the hour before now, drawn on the server: it can be read without JavaScript, and a hint that moves it is a
// path that changes.
type chart struct {
	lines []line
	from  time.Time
	to    time.Time
	top   float64
}

func newChart(now time.Time, samples []sample, lines []line) *chart {
	c := &chart{lines: lines, from: now.Add(-spanOf(now, samples)), to: now}
	for _, l := range lines {
		for _, p := range l.points {
			c.top = max(c.top, p.v)
		}
	}
	c.top = nice(c.top)
	return c
}

// spanOf is how long a time the samples fill: whole minutes, at least 4 and at most 60.
func spanOf(now time.Time, samples []sample) time.Duration {
	if len(samples) == 0 {
		return time.Hour
	}
	minutes := math.Ceil(now.Sub(samples[0].at).Minutes()/4) * 4
	return time.Duration(min(max(minutes, 4), 60)) * time.Minute
}

// axis is what stands below the chart, from left to right.
func (c *chart) axis() []string {
	minutes := int(c.to.Sub(c.from).Minutes())
	return []string{itoa(minutes) + " min ago", itoa(minutes*3/4) + " min", itoa(minutes/2) + " min", itoa(minutes/4) + " min", "now"}
}

// nice is the round number above v that an axis ends at; at least 4, so that a single saga is no mountain.
func nice(v float64) float64 {
	if v <= 4 {
		return 4
	}
	unit := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 4, 6, 8, 10} {
		if m*unit >= v {
			return m * unit
		}
	}
	return 10 * unit
}

func (c *chart) x(at time.Time) float64 {
	return chartWidth * at.Sub(c.from).Seconds() / c.to.Sub(c.from).Seconds()
}

func (c *chart) y(v float64) float64 { return chartHeight - (chartHeight-4)*v/c.top }

// path is a line's path; a hole of more than two samples breaks it.
func (c *chart) path(l *line) string {
	var b strings.Builder
	var last time.Time
	for _, p := range l.points {
		if p.at.Before(c.from) {
			continue
		}
		verb := "L"
		if last.IsZero() || p.at.Sub(last) > 3*sampleEvery {
			verb = "M"
		}
		fmt.Fprintf(&b, "%s%.1f %.1f", verb, c.x(p.at), c.y(p.v))
		last = p.at
	}
	return b.String()
}

// bare reports whether there is nothing to draw yet.
func (c *chart) bare() bool {
	for i := range c.lines {
		if len(c.lines[i].points) > 1 {
			return false
		}
	}
	return true
}

// words tell the chart to who cannot see it.
func (c *chart) words(title string) string {
	parts := make([]string, len(c.lines))
	for i := range c.lines {
		parts[i] = c.lines[i].name + " " + c.lines[i].now()
	}
	return title + ", now: " + strings.Join(parts, ", ")
}

// now is the line's newest value.
func (l *line) now() string {
	if len(l.points) == 0 {
		return "–"
	}
	return short(l.points[len(l.points)-1].v)
}

func short(v float64) string {
	if v >= 10 || v == math.Trunc(v) {
		return ui.Number(int64(math.Round(v)))
	}
	return strconv.FormatFloat(v, 'f', 1, 64)
}

// percent is n of total for the width of a bar, of 100.
func percent(n, total int64) string {
	if total <= 0 || n <= 0 {
		return "0"
	}
	return strconv.FormatFloat(max(1, 100*float64(n)/float64(total)), 'f', 1, 64)
}
