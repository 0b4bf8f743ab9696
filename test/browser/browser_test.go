//go:build !race

// A browser and five processes fill a small machine; the handlers of pages run under the race detector in the tests of api.

package browser

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/configs"
	"github.com/skaldhq/skald/participants"
	"github.com/skaldhq/skald/test/stack"
)

func TestMain(m *testing.M) { stack.Main(m) }

// verdict is a line of main.mjs.
type verdict struct {
	Name  string `json:"name"`
	OK    bool   `json:"ok"`
	Error string `json:"error"`
}

// scene is what main.mjs is told.
type scene struct {
	URL         string            `json:"url"`
	Chromium    string            `json:"chromium"`
	Hostile     []string          `json:"hostile"`         // payloads, each the customer's id of a saga
	Sagas       []string          `json:"sagas"`           // their ids
	Stuck       string            `json:"stuck"`           // a saga whose compensation was refused
	Screenshots string            `json:"screenshots"`     // a folder; empty: none
	Parts       []string          `json:"parts,omitempty"` // of main.mjs; none: all
	Keys        map[string]string `json:"keys,omitempty"`  // API keys by role, where the server asks for them
}

// TestDashboard drives the dashboard. It runs alone: a browser and five processes fill a small machine.
func TestDashboard(t *testing.T) {
	if testing.Short() {
		t.Skip("needs servers and a browser")
	}
	if os.Getenv("SKALD_TEST_BROWSER_PARTS") == "signin" {
		t.Skip("another part is asked for")
	}
	chromium := program(t, "chromium", "chromium-browser", "google-chrome")
	node := program(t, "node")
	install(t)

	s := stack.New(t)
	s.Participants()
	clerk(s)
	replica := s.Serve().Ready(t)
	for _, name := range []string{"order-placement", "order-parallel", "order-deposit"} {
		src, err := fs.ReadFile(configs.Definitions(), name+".yaml")
		require.NoError(t, err)
		apply(t, replica.Client, name, src)
	}
	second(t, replica.Client)
	src, err := os.ReadFile("testdata/desk-visit.yaml")
	require.NoError(t, err)
	apply(t, replica.Client, "desk-visit", src)

	sc := scene{URL: replica.URL, Chromium: chromium, Hostile: hostile(), Screenshots: os.Getenv("SKALD_TEST_SCREENSHOTS")}
	if parts := os.Getenv("SKALD_TEST_BROWSER_PARTS"); parts != "" {
		sc.Parts = strings.Split(parts, ",")
	}
	orders(t, replica.Client)
	sc.Sagas = haunt(t, replica.Client, sc.Hostile)
	sc.Stuck = stuck(t, replica.Client)
	poison(t, s, replica.Client)

	for _, v := range drive(t, node, sc) {
		t.Run(v.Name, func(t *testing.T) { require.True(t, v.OK, v.Error) })
	}
}

// program is the first of some programs that is there.
func program(t *testing.T, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	missing(t, "none of "+strings.Join(names, ", ")+" is installed")
	return ""
}

func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") != "" || os.Getenv("SKALD_TEST_BROWSER") != "" {
		t.Fatal(what)
	}
	t.Skip(what)
}

// install brings what package-lock.json names, unless it is there.
func install(t *testing.T) {
	t.Helper()
	if _, err := os.Stat("node_modules/.package-lock.json"); err == nil {
		return
	}
	out, err := exec.CommandContext(t.Context(), "npm", "ci").CombinedOutput()
	if err != nil {
		missing(t, "npm ci: "+err.Error()+"\n"+string(out))
	}
}

// clerk books a desk, refuses to sign for it, and refuses to take it back.
func clerk(s *stack.Stack) {
	refuse := func(code, message string) participants.HandlerFunc {
		return func(context.Context, *participants.Request) (participants.Result, error) {
			return participants.Reject(code, message)
		}
	}
	s.Answer("clerk", func(p *participants.Participant) {
		p.Handle("Book.v1", func(context.Context, *participants.Request) (participants.Result, error) {
			return participants.Succeed(map[string]string{"desk": "4b"})
		}, nil)
		p.Handle("Unbook.v1", nil, refuse("desk_in_use", "somebody sits there"))
		p.Handle("Sign.v1", refuse("no_ink", "the pen is dry"), nil)
		p.Handle("Unsign.v1", nil, refuse("no_ink", "the pen is dry"))
	})
}

func apply(t *testing.T, c *client.Client, name string, src []byte) {
	t.Helper()
	_, created, err := c.PutDefinition(t.Context(), name, 1, src, true)
	require.NoError(t, err)
	require.True(t, created)
}

// second registers another version of a definition, so that two can be compared.
func second(t *testing.T, c *client.Client) {
	t.Helper()
	src, err := fs.ReadFile(configs.Definitions(), "order-placement.yaml")
	require.NoError(t, err)
	changed := strings.NewReplacer("version: 1", "version: 2", "timeout: 5s", "timeout: 8s").Replace(string(src))
	_, created, err := c.PutDefinition(t.Context(), "order-placement", 2, []byte(changed), false)
	require.NoError(t, err)
	require.True(t, created)
}

// orders places one of every kind, so that every page has something to show.
func orders(t *testing.T, c *client.Client) {
	t.Helper()
	list := []stack.Order{{ID: "A-1001"}, {ID: "A-1002", Token: "tok_flaky"}, {ID: "A-1003", Token: "tok_declined"}, {ID: "A-1004", SKU: "sku-sold-out"}, {ID: "A-1005", ShipTo: "nowhere"}}
	for _, o := range list {
		_, err := c.Start(t.Context(), client.StartRequest{Saga: "order-placement", Input: o.Input(), Labels: map[string]string{"shop": "berlin"}})
		require.NoError(t, err)
	}
	_, err := c.Start(t.Context(), client.StartRequest{Saga: "order-parallel", Input: stack.Order{ID: "P-1"}.Input()})
	require.NoError(t, err)
}

// haunt starts a saga with each hostile text as key, label and part of the input.
func haunt(t *testing.T, c *client.Client, texts []string) (ids []string) {
	t.Helper()
	for _, text := range texts {
		input, err := json.Marshal(map[string]any{
			"order_id": text, "customer_id": text, "amount_cents": 1, "payment_token": "tok_ok", "ship_to": text,
			"items": []map[string]any{{"sku": "sku-1", "quantity": 1}},
		})
		require.NoError(t, err)
		label := text[:min(len(text), 200)]
		started, err := c.Start(t.Context(), client.StartRequest{Saga: "order-placement", Input: input, Labels: map[string]string{"note": strings.ToValidUTF8(label, "")}})
		require.NoError(t, err, "%.100q", text)
		ids = append(ids, started.ID)
	}
	return ids
}

// stuck is a saga whose compensation is refused.
func stuck(t *testing.T, c *client.Client) string {
	t.Helper()
	started, err := c.Start(t.Context(), client.StartRequest{Saga: "desk-visit", Input: json.RawMessage(`{"visit":"V-1"}`)})
	require.NoError(t, err)
	stack.Eventually(t, 30*time.Second, func(ctx context.Context) error {
		sg, err := c.Saga(ctx, started.ID)
		if err == nil && sg.Status != client.Suspended {
			err = errStill(sg.Status)
		}
		return err
	})
	return started.ID
}

type errStill client.Status

func (e errStill) Error() string { return "the saga is still " + string(e) }

// poison sends replies that nobody can read: three for one cause, two for another.
func poison(t *testing.T, s *stack.Stack, c *client.Client) {
	t.Helper()
	conf := sarama.NewConfig()
	conf.Version = sarama.V3_6_0_0
	conf.Producer.Return.Successes = true
	producer, err := sarama.NewSyncProducer(s.Brokers(), conf)
	require.NoError(t, err)
	defer func() { require.NoError(t, producer.Close()) }()
	records := []*sarama.ProducerMessage{{Value: sarama.StringEncoder(`{"n":1}`)}, {Value: sarama.StringEncoder(`{"n":2}`)}, {Value: sarama.StringEncoder(`{"n":3}`)}}
	for range 2 {
		records = append(records, &sarama.ProducerMessage{
			Value:   sarama.StringEncoder(`{"x":"<script>window.pwned=1</script>"}`),
			Headers: []sarama.RecordHeader{{Key: []byte("ce_type"), Value: []byte(`"><img src=x onerror=window.pwned=1>`)}},
		})
	}
	for i, r := range records {
		r.Topic = s.Topics().Replies()
		_, _, err = producer.SendMessage(r)
		require.NoError(t, err)
		stack.Eventually(t, 30*time.Second, func(ctx context.Context) error { // one after the other: the last are the newest
			list, err := c.Quarantine(ctx, client.QuarantineFilter{})
			if err == nil && len(list.Items) <= i {
				err = errStill("without quarantine")
			}
			return err
		})
	}
}

// drive runs the browser, and returns what it found. What it says beside that is shown when something does not hold.
func drive(t *testing.T, node string, sc scene) []verdict {
	t.Helper()
	raw, err := json.Marshal(sc)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, node, "main.mjs")
	cmd.Stdin = bytes.NewReader(raw)
	cmd.WaitDelay = 5 * time.Second
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(said.String())
		}
	})
	require.NoError(t, err, "%s\n%s", out, &said)
	var found []verdict
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		var v verdict
		require.NoError(t, json.Unmarshal(lines.Bytes(), &v), lines.Text())
		found = append(found, v)
	}
	require.NotEmpty(t, found, "the browser has looked at nothing")
	return found
}
