package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// knowing is a server that answers each path with a text; others it does not know.
func knowing(t *testing.T, answers map[string]string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, ok := answers[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(text))
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestWords(t *testing.T) {
	t.Parallel()
	const id = "019aa000-0000-7000-8000-000000000000"
	server := knowing(t, map[string]string{
		"/v1/sagas": `{"items":[{"id":"` + id + `","key":"A-1","steps":[]},{"id":"019aa000-0000-7000-8000-000000000001","key":"a key $(rm)","steps":[]},
			{"id":"019aa000-0000-7000-8000-000000000002","key":"A-1","steps":[]}]}`,
		"/v1/sagas/" + id:  `{"id":"` + id + `","steps":[{"name":"create-order"},{"name":"charge-payment"}]}`,
		"/v1/definitions":  `{"items":[{"name":"order","version":2},{"name":"order","version":1}]}`,
		"/v1/participants": `{"items":[{"name":"payments"}]}`,
		"/v1/operations":   `{"items":[{"id":7}]}`,
		"/v1/holds":        `{"items":[{"id":3}]}`,
		"/v1/quarantine":   `{"items":[{"id":12}]}`,
	})
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"saga"}, id + "\nA-1\n019aa000-0000-7000-8000-000000000001\n019aa000-0000-7000-8000-000000000002\n"},
		{[]string{"step", "saga", "retry", id, "--reason", "r", "--dry-run", "--step"}, "create-order\ncharge-payment\n"},
		{[]string{"step", "saga", "retry"}, ""},
		{[]string{"definition"}, "order\n"},
		{[]string{"version"}, "order\norder@2\norder@1\n"},
		{[]string{"participant"}, "payments\n"},
		{[]string{"operation"}, "7\n"},
		{[]string{"hold"}, "3\n"},
		{[]string{"quarantine"}, "12\n"},
	} {
		var out, errs bytes.Buffer
		code := run(t.Context(), append([]string{"__complete", "--server", server}, c.args...), streams{strings.NewReader(""), &out, &errs})
		require.Zero(t, code, "%v: %s", c.args, errs.String())
		require.Equal(t, c.want, out.String(), "%v", c.args)
	}
	var out, errs bytes.Buffer
	require.Zero(t, run(t.Context(), []string{"__complete", "participant", "hold", "participant", "--server", server}, streams{strings.NewReader(""), &out, &errs}))
	require.Equal(t, "payments\n", out.String(), "the server that the line names is asked")
}

// A shell that completes is never told of errors, and never waits for long.
func TestWords_NobodyAnswers(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"saga", "step", "version", "participant", "operation", "hold", "quarantine"} {
		var out, errs bytes.Buffer
		code := run(t.Context(), []string{"__complete", "--server", "http://127.0.0.1:1", kind, "saga", "get", "A-1"}, streams{strings.NewReader(""), &out, &errs})
		require.Zero(t, code)
		require.Empty(t, out.String()+errs.String())
	}
}

// What is misspelt at three in the morning is said.
func TestHold_NobodyOfThatName(t *testing.T) {
	t.Parallel()
	server := knowing(t, map[string]string{
		"/v1/holds":        `{"id":1,"scope":"participant","name":"paymentz","reason":"r","since":"2026-11-20T10:00:00Z"}`,
		"/v1/participants": `{"items":[{"name":"payments"},{"name":"orders"}]}`,
	})
	var out, errs bytes.Buffer
	require.Zero(t, run(t.Context(), []string{"hold", "participant", "paymentz", "-r", "r", "--server", server}, streams{strings.NewReader(""), &out, &errs}))
	require.Contains(t, errs.String(), `nothing is called "paymentz", so this stops nobody; known are orders, payments`)
	errs.Reset()
	require.Zero(t, run(t.Context(), []string{"hold", "participant", "payments", "-r", "r", "--server", server}, streams{strings.NewReader(""), &out, &errs}))
	require.Empty(t, errs.String())
	require.Equal(t, exitNotFound, run(t.Context(), []string{"operation", "show", "9", "--server", server}, streams{strings.NewReader(""), &out, &errs}))
}
