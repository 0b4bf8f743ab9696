package tracing

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/configs"
	"github.com/skaldhq/skald/test/stack"
)

func TestMain(m *testing.M) { stack.Main(m) }

// canary is in every input, and must be in no span.
const canary = "kanarienvogel"

// bench is one replica and its participants, who all trace to an address.
type bench struct {
	*stack.Stack
	*stack.Replica
	participants map[string]*stack.Process
}

func setup(t *testing.T, endpoint string) *bench {
	t.Helper()
	if testing.Short() {
		t.Skip("needs servers")
	}
	env := []string{"SKALD_TRACING_ENDPOINT=" + endpoint, "SKALD_TRACING_HEADERS=x-api-key=k-1", "SKALD_TRACING_LINK=https://jaeger.example/trace/{trace_id}"}
	s := stack.New(t)
	b := &bench{Stack: s, participants: map[string]*stack.Process{}}
	for _, name := range []string{"orders", "payments", "inventory", "shipping"} {
		b.participants[name] = s.Program(env, stack.Binary(t), "participant", name)
	}
	b.Replica = s.ServeTagged("", env...).Ready(t)
	placement, err := fs.ReadFile(configs.Definitions(), "order-placement.yaml")
	require.NoError(t, err)
	quick, err := os.ReadFile("../e2e/testdata/order-quick.yaml")
	require.NoError(t, err)
	for name, src := range map[string][]byte{"order-placement": placement, "order-quick": quick} {
		_, _, err := b.Client.PutDefinition(t.Context(), name, 1, src, true)
		require.NoError(t, err)
	}
	return b
}

// order starts a saga within a caller's trace, and answers its id.
func (b *bench) order(t *testing.T, saga string, order stack.Order, caller string) string {
	t.Helper()
	order.ID = canary + "-" + order.Token + order.SKU
	order.ShipTo = canary + " street 1"
	body, err := json.Marshal(client.StartRequest{Saga: saga, Input: order.Input(), Labels: map[string]string{"bird": canary}})
	require.NoError(t, err)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.URL+"/v1/sagas", bytes.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("traceparent", caller)
	answer, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer answer.Body.Close()
	said, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusAccepted, answer.StatusCode, "%s", said)
	var started client.Started
	require.NoError(t, json.Unmarshal(said, &started))
	return started.ID
}

func (b *bench) ends(t *testing.T, id string, want client.Status) {
	t.Helper()
	stack.Eventually(t, time.Minute, func(ctx context.Context) error {
		sg, err := b.Client.Saga(ctx, id)
		if err == nil && sg.Status != want {
			err = fmt.Errorf("saga %s is %s, blocked on %+v", id, sg.Status, sg.BlockedOn)
		}
		return err
	})
}

// attempts are a trace's attempts in words, in the order of their begins; each must have its participant's span as a child.
func attempts(trace map[string]span) (out []string, err error) {
	var list []span
	for _, s := range trace {
		if s.Kind == tracepb.Span_SPAN_KIND_PRODUCER {
			list = append(list, s)
		}
	}
	slices.SortFunc(list, func(a, b span) int { return int(int64(a.StartTimeUnixNano) - int64(b.StartTimeUnixNano)) })
	for _, s := range list {
		out = append(out, fmt.Sprintf("%s %d: %s", s.Name, s.number("skald.attempt"), s.attr("skald.outcome")))
		handled := false
		for _, child := range trace {
			if child.parent() == s.id() && child.Kind == tracepb.Span_SPAN_KIND_CONSUMER {
				if child.service != s.attr("skald.participant") {
					return nil, fmt.Errorf("%s was handled by %q, not by %q", s.Name, child.service, s.attr("skald.participant"))
				}
				handled = true
			}
		}
		if !handled {
			return nil, fmt.Errorf("nobody handled %s, attempt %d", s.Name, s.number("skald.attempt"))
		}
	}
	return out, nil
}

// whole waits until a saga's trace has come: one root, and a parent for each other span.
func (c *collector) whole(t *testing.T, id string, want []string) map[string]span {
	t.Helper()
	var trace map[string]span
	stack.Eventually(t, 30*time.Second, func(context.Context) error {
		trace = c.of(t, strings.ReplaceAll(id, "-", ""))
		roots := 0
		for _, s := range trace {
			if s.parent() == "" {
				roots++
				continue
			}
			if _, known := trace[s.parent()]; !known {
				return fmt.Errorf("the parent of %s (%s) is missing", s.Name, s.service)
			}
		}
		if roots != 1 {
			return fmt.Errorf("%d roots in %d spans", roots, len(trace))
		}
		got, err := attempts(trace)
		if err == nil && !slices.Equal(got, want) {
			err = fmt.Errorf("attempts are %q, want %q", got, want)
		}
		return err
	})
	return trace
}

func only(t *testing.T, trace map[string]span, name string) span {
	t.Helper()
	var found []span
	for _, s := range trace {
		if s.Name == name {
			found = append(found, s)
		}
	}
	require.Len(t, found, 1, name)
	return found[0]
}

// TestTraces: one trace a saga, with every hop in it, whichever way it goes.
func TestTraces(t *testing.T) {
	t.Parallel()
	c := collect(t)
	b := setup(t, c.URL)
	const callersTrace, callersSpan = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	caller := "00-" + callersTrace + "-" + callersSpan + "-01"
	cases := []struct {
		name     string
		saga     string
		order    stack.Order
		status   client.Status
		verdict  string
		attempts []string
	}{
		{"Declined", "order-placement", stack.Order{Token: "tok_declined"}, client.Compensated, "cleanly_aborted", []string{
			"execute create-order 1: succeeded", "execute charge-payment 1: rejected", "compensate create-order 1: succeeded",
		}},
		{"Flaky", "order-placement", stack.Order{Token: "tok_flaky"}, client.Completed, "committed", []string{
			"execute create-order 1: succeeded", "execute charge-payment 1: failed", "execute charge-payment 2: succeeded",
			"execute reserve-items 1: succeeded", "execute confirm-order 1: succeeded", "execute create-shipment 1: succeeded",
		}},
		{"RetriedAndCompensated", "order-placement", stack.Order{Token: "tok_flaky", SKU: "sku-sold-out"}, client.Compensated, "cleanly_aborted", []string{
			"execute create-order 1: succeeded", "execute charge-payment 1: failed", "execute charge-payment 2: succeeded",
			"execute reserve-items 1: rejected", "compensate charge-payment 1: succeeded", "compensate create-order 1: succeeded",
		}},
		{"Lost", "order-quick", stack.Order{Token: "tok_lost"}, client.Compensated, "cleanly_aborted", []string{
			"execute create-order 1: succeeded", "execute charge-payment 1: timeout", "execute charge-payment 2: timeout", "execute charge-payment 3: timeout",
			"compensate charge-payment 1: succeeded", "compensate create-order 1: succeeded",
		}},
	}
	ids := map[string]string{}
	for _, k := range cases {
		ids[k.name] = b.order(t, k.saga, k.order, caller)
	}
	for _, k := range cases {
		t.Run(k.name, func(t *testing.T) {
			b.ends(t, ids[k.name], k.status)
			trace := c.whole(t, ids[k.name], k.attempts)
			root := only(t, trace, k.saga)
			require.Empty(t, root.parent())
			require.Equal(t, "skald", root.service)
			require.Equal(t, ids[k.name], root.attr("skald.saga_id"))
			require.Equal(t, "default", root.attr("skald.tenant"))
			require.Equal(t, string(k.status), root.attr("skald.status"))
			require.Equal(t, k.verdict, root.attr("skald.verdict"))
			require.EqualValues(t, 1, root.number("skald.saga_version"))
			for _, s := range trace {
				if s.Kind == tracepb.Span_SPAN_KIND_PRODUCER {
					require.Equal(t, root.id(), s.parent(), s.Name)
					linksToFirst(t, trace, s)
				}
			}
			// The request is in the caller's trace; it and the saga's trace link to each other.
			start := only(t, trace, "start "+k.saga)
			require.Len(t, start.Links, 1)
			require.Equal(t, callersTrace, hex.EncodeToString(start.Links[0].TraceId))
			request := c.of(t, callersTrace)[hex.EncodeToString(start.Links[0].SpanId)]
			require.NotNil(t, request.Span, "the request's span is missing")
			require.Equal(t, "POST /v1/sagas", request.Name)
			require.Equal(t, callersSpan, request.parent())
			require.Equal(t, root.id(), hex.EncodeToString(request.Links[0].SpanId))
			require.Equal(t, root.trace(), hex.EncodeToString(request.Links[0].TraceId))
		})
	}
	require.False(t, c.says(canary), "no span may hold what is in an input")
	require.True(t, c.authorized("k-1"))

	id := ids["Flaky"]
	trace := strings.ReplaceAll(id, "-", "")
	require.Contains(t, b.participants["payments"].Err.String(), `"trace_id":"`+trace+`"`, "lines about a saga have its trace")
	sg, err := b.Client.Saga(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, "https://jaeger.example/trace/"+trace, sg.Links.Trace)
	shown := b.Run("saga", "get", id, "--server", b.URL)
	require.Contains(t, shown, "trace https://jaeger.example/trace/"+trace)
	b.Audit()
}

// linksToFirst: an attempt after the first is a redelivery, and has a link to it.
func linksToFirst(t *testing.T, trace map[string]span, s span) {
	t.Helper()
	if s.number("skald.attempt") == 1 {
		require.Empty(t, s.Links)
		return
	}
	require.Len(t, s.Links, 1)
	first := trace[hex.EncodeToString(s.Links[0].SpanId)]
	require.NotNil(t, first.Span)
	require.Equal(t, s.Name, first.Name)
	require.EqualValues(t, 1, first.number("skald.attempt"))
}

// TestTraces_ACollectorThatIsAwayHarmsNothing: sagas go on as without traces, and the log stays readable.
func TestTraces_ACollectorThatIsAwayHarmsNothing(t *testing.T) {
	t.Parallel()
	b := setup(t, "http://127.0.0.1:9")
	const caller = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	for order, want := range map[stack.Order]client.Status{
		{Token: "tok_ok"}: client.Completed, {Token: "tok_declined"}: client.Compensated, {Token: "tok_flaky"}: client.Completed,
	} {
		b.ends(t, b.order(t, "order-placement", order, caller), want)
	}
	b.Terminate()
	require.NoError(t, b.Wait(15*time.Second), "the end waits for no collector")
	require.Zero(t, b.ExitCode(), "%s", b.Err)
	require.LessOrEqual(t, strings.Count(b.Err.String(), "the collector takes none"), 1)
	require.NotContains(t, b.Err.String(), canary)
}
