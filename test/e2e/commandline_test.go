package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/test/stack"
)

// commandLine: an operator's way through a saga, with nothing but the command line.
func commandLine(t *testing.T, b *bench) {
	skald := func(code int, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), stack.Binary(t), args...)
		cmd.Env = append(stack.CleanEnv(), "SKALD_SERVER="+b.URL)
		var errs strings.Builder
		cmd.Stderr = &errs
		out, err := cmd.Output()
		if code == 0 {
			require.NoError(t, err, "skald %v\n%s", args, &errs)
		} else {
			require.Equal(t, code, cmd.ProcessState.ExitCode(), "skald %v\n%s%s", args, out, &errs)
		}
		return string(out) + errs.String()
	}
	file := filepath.Join(t.TempDir(), "order.json")
	require.NoError(t, os.WriteFile(file, stack.Order{ID: "cli-1"}.Input(), 0o600))

	shown := skald(0, "saga", "start", "order-quick", "--input", "@"+file, "--wait", "30s", "--label", "team=blue")
	require.Contains(t, shown, "completed")
	require.Contains(t, shown, "certificate committed")
	var sg client.Saga
	require.NoError(t, json.Unmarshal([]byte(skald(0, "saga", "get", "cli-1", "-o", "json")), &sg))
	require.Equal(t, client.Completed, sg.Status)
	require.Equal(t, map[string]string{"team": "blue"}, sg.Labels)
	require.Contains(t, skald(0, "saga", "list", "--label", "team=blue", "--count"), sg.ID)
	require.Contains(t, skald(0, "saga", "list", "--verdict", "committed", "--version", "1", "--oldest"), sg.ID)
	require.NotContains(t, skald(0, "saga", "list", "--verdict", "residue"), sg.ID)
	history := skald(0, "saga", "history", sg.ID)
	require.Contains(t, history, "asks payments: ChargePayment.v1")
	require.Contains(t, history, ".payments.commands/", "the history says where in Kafka the command stands")

	require.Contains(t, skald(6, "saga", "start", "order-quick@1", "--watch", "--input", string(stack.Order{ID: "cli-2", Token: "tok_declined"}.Input())), "cleanly aborted")
	require.Contains(t, skald(6, "saga", "watch", "cli-2", "-o", "json"), `"type":"saga.compensated"`)

	id := strings.TrimSpace(skald(0, "saga", "start", "order-quick", "--input", string(stack.Order{ID: "cli-3", ShipTo: "nowhere"}.Input())))
	skald(0, "saga", "pause", id, "--reason", "a look")
	require.Contains(t, skald(0, "saga", "get", "cli-3"), "paused")
	require.Contains(t, skald(0, "saga", "resume", id, "-r", "go on"), id)
	require.Contains(t, skald(0, "saga", "abandon", "cli-3", "-r", "no way", "--dry-run"), "abandoned")
	require.Contains(t, skald(0, "saga", "abandon", "cli-3", "-r", "no way"), "abandoned")
	require.Contains(t, skald(5, "saga", "cancel", id, "-r", "again"), "skald:")

	require.Contains(t, skald(2, "saga", "start", "order-quick", "--input", "{}"), "payment_token")
	require.Contains(t, skald(4, "saga", "start", "no-such-saga", "--input", "{}"), "unknown_saga")
	require.Contains(t, skald(4, "saga", "get", "no-such-key"), "no-such-key")

	// A hold on a definition that nothing else uses: other tests share the engine.
	require.Contains(t, skald(0, "hold", "definition", "order-quick@7", "-r", "stocktaking"), "definition order-quick@7 is held from now on: stocktaking")
	require.Contains(t, skald(0, "hold", "definition", "order-quick@7", "-r", "twice"), "already: stocktaking")
	var holds client.HoldList
	require.NoError(t, json.Unmarshal([]byte(skald(0, "hold", "list", "-o", "json")), &holds))
	require.Len(t, holds.Items, 1)
	number := strconv.FormatInt(holds.Items[0].ID, 10)
	require.Contains(t, skald(0, "hold", "list"), "stocktaking")
	shown = skald(0, "hold", "show", number)
	require.Regexp(t, `state +holding\n`, shown)
	require.Regexp(t, `held +0 sagas\n`, shown)
	require.Regexp(t, `in flight +0 commands\n`, shown)
	require.Contains(t, skald(0, "hold", "end", number, "-r", "done", "--rate", "50"), "hold "+number+" lets sagas go, 50 a second")
	require.Regexp(t, `state +ended\n`, skald(0, "hold", "show", number))
	require.Contains(t, skald(4, "hold", "end", number, "-r", "done"), "skald:")
	require.Contains(t, skald(0, "hold", "list"), "Nothing is held.")

	set := skald(0, "limit", "set", "definition", "nobody-uses-it", "--sagas", "3", "-r", "a small shop")
	require.Contains(t, set, "definition nobody-uses-it is limited from now on: a small shop")
	require.Regexp(t, `sagas that have begun +0 of 3\n`, set)
	require.Regexp(t, `definition nobody-uses-it +0 of 3 +- +0 .*a small shop`, skald(0, "limit", "list"))
	require.Contains(t, skald(2, "limit", "set", "participant", "nobody", "--sagas", "3", "-r", "r"), "sagas")
	require.Contains(t, skald(0, "limit", "remove", "definition", "nobody-uses-it", "-r", "grown"), "is limited no more")
	require.Contains(t, skald(4, "limit", "remove", "definition", "nobody-uses-it", "-r", "grown"), "skald:")
	require.Contains(t, skald(0, "limit", "list"), "Nothing is limited.")

	require.Contains(t, skald(0, "definition", "list"), "order-quick")
	require.Contains(t, skald(0, "definition", "show", "order-quick@1"), "# order-placement with timeouts")
	require.Contains(t, skald(0, "definition", "apply", "testdata/order-quick.yaml"), "was there already")
}
