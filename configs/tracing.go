package configs

import (
	"fmt"
	"net/url"
	"strings"
)

// Tracing sends the traces of sagas to a collector, by OTLP over HTTP. Without an endpoint it is off, and costs nothing.
type Tracing struct {
	Endpoint string  `env:"ENDPOINT" placeholder:"URL" help:"Where spans go by OTLP over HTTP, such as http://localhost:4318. Empty: nothing is traced."`
	Headers  Secret  `env:"HEADERS" placeholder:"NAME=VALUE,..." help:"Headers of every request to it, such as an API key."`
	Ratio    float64 `env:"RATIO" default:"1" help:"Share of sagas that are traced, 0 to 1; the same ones at every replica."`
	Link     string  `env:"LINK" placeholder:"URL" help:"Where people look at a trace, such as https://jaeger.example/trace/{trace_id}: shown with each saga. Empty: nowhere."`
}

// TraceIDPlaceholder stands in Tracing.Link for the id of the trace, 32 hexadecimal digits.
const TraceIDPlaceholder = "{trace_id}"

// HeaderMap are the headers by name; nil where there are none. The error shows no value.
func (t *Tracing) HeaderMap() (map[string]string, error) {
	if t.Headers == "" {
		return nil, nil
	}
	out := map[string]string{}
	for i, pair := range strings.Split(t.Headers.Reveal(), ",") {
		name, value, ok := strings.Cut(pair, "=")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if !ok || !match(`[A-Za-z0-9-]{1,100}`, name) || strings.ContainsAny(value, "\r\n\x00") {
			return nil, fmt.Errorf("header %d: want name=value", i+1)
		}
		out[name] = value
	}
	return out, nil
}

func (c *Config) validateTracing(v *validator) {
	t := &c.Tracing
	v.check(t.Ratio >= 0 && t.Ratio <= 1, "tracing.ratio", "%v: want 0 to 1", t.Ratio)
	if t.Endpoint != "" {
		v.check(isPage(t.Endpoint), "tracing.endpoint", "want an http or https address, without a password in it") // which is not shown
	}
	if _, err := t.HeaderMap(); err != nil {
		v.check(false, "tracing.headers", "%v", err)
	}
	if t.Link != "" {
		v.check(strings.Count(t.Link, TraceIDPlaceholder) == 1, "tracing.link", "%q: want %s in it, once", t.Link, TraceIDPlaceholder)
		v.check(isPage(strings.Replace(t.Link, TraceIDPlaceholder, strings.Repeat("0", 32), 1)) && !strings.Contains(hostPart(t.Link), "{"),
			"tracing.link", "%q: want an http or https address such as https://jaeger.example/trace/%s", t.Link, TraceIDPlaceholder)
	}
}

// isPage reports whether raw is an address that a browser opens.
func isPage(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.User == nil
}

// hostPart is what stands between the scheme and the path.
func hostPart(raw string) string {
	_, rest, _ := strings.Cut(raw, "://")
	host, _, _ := strings.Cut(rest, "/")
	return host
}
