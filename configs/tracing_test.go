package configs_test

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTracing_Validate(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		arg  string
		want string // "": fine
	}{
		"Endpoint":             {"--tracing-endpoint=http://localhost:4318", ""},
		"EndpointWithPath":     {"--tracing-endpoint=https://collector.example/otlp/v1/traces", ""},
		"EndpointNoScheme":     {"--tracing-endpoint=localhost:4318", "tracing.endpoint"},
		"EndpointWithPassword": {"--tracing-endpoint=https://me:secret@collector.example", "tracing.endpoint"},
		"Headers":              {"--tracing-headers=x-api-key=abc=,x-team=red", ""},
		"HeadersWrong":         {"--tracing-headers=geheim", "tracing.headers"},
		"Ratio":                {"--tracing-ratio=0.25", ""},
		"RatioTooLarge":        {"--tracing-ratio=2", "tracing.ratio"},
		"Link":                 {"--tracing-link=https://jaeger.example/trace/{trace_id}", ""},
		"LinkPlain":            {"--tracing-link=http://localhost:16686/trace/{trace_id}?uiEmbed=v0", ""},
		"LinkNoPlaceholder":    {"--tracing-link=https://jaeger.example/trace", "tracing.link"},
		"LinkTwice":            {"--tracing-link=https://jaeger.example/{trace_id}/{trace_id}", "tracing.link"},
		"LinkInHost":           {"--tracing-link=https://{trace_id}.example/", "tracing.link"},
		"LinkOfAScript":        {"--tracing-link=javascript:alert({trace_id})", "tracing.link"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg, err := parse(t, c.arg)
			require.NoError(t, err)
			err = cfg.Validate()
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, c.want)
			require.NotContains(t, err.Error(), "secret")
			require.NotContains(t, err.Error(), "geheim")
		})
	}
}

func TestTracing_HeaderMap(t *testing.T) {
	t.Parallel()
	cfg, err := parse(t, "--tracing-headers=x-api-key=abc=, x-team = red")
	require.NoError(t, err)
	got, err := cfg.Tracing.HeaderMap()
	require.NoError(t, err)
	require.Equal(t, map[string]string{"x-api-key": "abc=", "x-team": "red"}, got)
}
