package configs

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Span is a length of time that may be given in days or weeks too: 90d, 2w, 36h, 0.
type Span time.Duration

// UnmarshalText reads a whole number of days (d) or weeks (w), 0, or what time.ParseDuration does.
func (s *Span) UnmarshalText(text []byte) error {
	t := strings.TrimSpace(string(text))
	for unit, length := range map[string]time.Duration{"d": 24 * time.Hour, "w": 7 * 24 * time.Hour} {
		number, found := strings.CutSuffix(t, unit)
		if n, err := strconv.ParseInt(number, 10, 32); found && err == nil && n >= 0 && n <= 36500 {
			*s = Span(time.Duration(n) * length)
			return nil
		}
	}
	d, err := time.ParseDuration(t)
	if err != nil || d < 0 {
		return fmt.Errorf("span %q: want days or weeks such as 90d or 2w, or hours such as 36h", text)
	}
	*s = Span(d)
	return nil
}

// MarshalText writes days where the span is made of whole ones.
func (s Span) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

func (s Span) String() string {
	const day = Span(24 * time.Hour)
	if s >= day && s%day == 0 {
		return fmt.Sprintf("%dd", s/day)
	}
	return time.Duration(s).String()
}

// Policies reads retention.sagas.
func (r *Retention) Policies() (map[string]time.Duration, error) {
	out := map[string]time.Duration{}
	for _, entry := range r.Sagas {
		name, text, found := strings.Cut(entry, "=")
		name = strings.TrimSpace(name)
		var span Span
		if err := span.UnmarshalText([]byte(text)); err != nil || !found {
			return nil, fmt.Errorf("%q: want a definition's name and a span such as order-placement=30d", entry)
		}
		if _, twice := out[name]; twice {
			return nil, fmt.Errorf("%q stands twice", name)
		}
		out[name] = time.Duration(span)
	}
	return out, nil
}
