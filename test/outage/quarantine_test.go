package outage

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/participants/wire"
	"github.com/skaldhq/skald/test/stack"
)

const olderRing = "older:f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"

// TestQuarantine_MendedAndRedriven: keys were rotated too early, so that good replies are in quarantine. Once the old key is back an
// operator redrives them with the command line alone, and their sagas end. A forged one takes somebody who vouches.
func TestQuarantine_MendedAndRedriven(t *testing.T) {
	t.Parallel()
	b := newRubbishBench(t)
	older, err := wire.ParseKeyring(olderRing)
	require.NoError(t, err)
	var sagas []string
	for range 3 {
		text, id := b.wait(t)
		sagas = append(sagas, text)
		b.send(t, b.next(), goodReply(older, id, "wait"))
	}
	victim, victimID := b.wait(t)
	forged := goodReply(b.ring, victimID, "wait")
	setHeader(&forged, wire.HeaderSagaToken, []byte("test.forged"))
	b.send(t, b.next(), forged)
	stack.Eventually(t, 20*time.Second, func(ctx context.Context) error {
		list, err := b.Client.Quarantine(ctx, client.QuarantineFilter{State: client.QuarantineWaiting})
		if err == nil && len(list.Items) != 4 {
			err = fmt.Errorf("%d records are in quarantine", len(list.Items))
		}
		return err
	})
	skald := commandLine(t, b.URL)
	groups := skald(0, "quarantine", "groups")
	require.Contains(t, groups, "reply token names an unknown key")
	require.Contains(t, groups, "reply token is malformed")
	require.Contains(t, skald(1, "quarantine", "redrive", "--cause", "bad_token", "-r", "too early", "--yes"), "4 records: 4 error")

	mended := b.site.serve("SKALD_REPLY_KEYS=" + ringText + "," + olderRing).Ready(t)
	skald = commandLine(t, mended.URL)
	var list client.QuarantineGroupList
	require.NoError(t, json.Unmarshal([]byte(skald(0, "quarantine", "groups", "-o", "json")), &list))
	require.Len(t, list.Items, 2)
	ours, theirs := list.Items[0], list.Items[1]
	if ours.Count == 1 {
		ours, theirs = theirs, ours
	}
	require.EqualValues(t, 3, ours.Count)
	require.Contains(t, skald(0, "quarantine", "redrive", "--group", ours.Fingerprint, "-r", "the key is back", "--dry-run"), "3 records: 3 applied")
	require.Contains(t, skald(2, "quarantine", "redrive", "--group", ours.Fingerprint, "-r", "the key is back"), "Redrive 3 records (as things stand: 3 applied)? nobody is here to answer")
	require.Contains(t, skald(0, "quarantine", "redrive", "--group", ours.Fingerprint, "-r", "the key is back", "--yes"), "3 records: 3 applied")
	for _, id := range sagas {
		stack.Eventually(t, 10*time.Second, func(ctx context.Context) error { return ended(ctx, mended.Client, id) })
	}
	number := strconv.FormatInt(theirs.Example, 10)
	shown := skald(0, "quarantine", "show", number)
	require.Contains(t, shown, "ce_sagatoken = redacted")
	require.NotContains(t, shown, "test.forged")
	require.Contains(t, skald(5, "quarantine", "redrive", number, "-r", "looked at it"), "token_unproven")
	require.Contains(t, skald(0, "quarantine", "redrive", number, "-r", "looked at it", "--vouch", "--dry-run"), "would be applied")
	require.Contains(t, skald(0, "quarantine", "redrive", number, "-r", "looked at it", "--vouch"), "applied")
	stack.Eventually(t, 10*time.Second, func(ctx context.Context) error { return ended(ctx, mended.Client, victim) })
	require.Contains(t, skald(5, "quarantine", "discard", number, "-r", "again"), "redriven by")
	require.Contains(t, skald(0, "quarantine", "list"), "No such record")
	require.Contains(t, skald(0, "quarantine", "list", "--state", "redriven"), "bad_token")
	require.Contains(t, skald(4, "quarantine", "show", "4711"), "skald:")
	require.Contains(t, skald(2, "quarantine", "discard", "-r", "which?"), "want a record's number")
	t.Log("\n" + groups + shown)
}

// commandLine runs skald against a server, and answers all that it printed.
func commandLine(t *testing.T, url string) func(code int, args ...string) string {
	return func(code int, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), stack.Binary(t), args...)
		cmd.Env = append(stack.CleanEnv(), "SKALD_SERVER="+url)
		var errs strings.Builder
		cmd.Stderr = &errs
		out, err := cmd.Output()
		if code == 0 {
			require.NoError(t, err, "skald %v\n%s%s", args, out, &errs)
		} else {
			require.Equal(t, code, cmd.ProcessState.ExitCode(), "skald %v\n%s%s", args, out, &errs)
		}
		return string(out) + errs.String()
	}
}
