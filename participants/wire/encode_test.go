package wire_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/skaldhq/skald/participants/wire"
	"github.com/stretchr/testify/require"
)

func TestCommand_Golden(t *testing.T) {
	t.Parallel()
	execute := sampleCommand(t)

	compensate := sampleCommand(t)
	compensate.Name, compensate.Verb, compensate.Edition, compensate.Attempt = "ReleaseItems.v1", wire.Compensate, 1, 1
	compensate.ID = wire.CommandID(compensate.SagaID, compensate.Step, wire.Compensate, 1)
	compensate.TraceParent, compensate.TraceState = "", ""
	compensate.Value = []byte(`{"payload": {"order_id":"A-1001"}, "output": null}`)

	probe := sampleCommand(t)
	probe.Name, probe.Verb = "ProbeItems.v1", wire.Probe
	probe.ID = wire.CommandID(probe.SagaID, probe.Step, wire.Probe, 0)

	for name, c := range map[string]wire.Command{"execute": execute, "compensate": compensate, "probe": probe} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			record := c.Record("inventory.commands")
			golden(t, "command-"+name, dump(record))
			back, err := wire.DecodeCommand(record)
			require.NoError(t, err)
			require.Empty(t, cmp.Diff(c, back))
		})
	}
}

func TestReply_Golden(t *testing.T) {
	t.Parallel()
	succeeded := sampleReply(t, wire.Succeeded)
	succeeded.Value = []byte(`{"reservation_id":"rsv_1"}`)

	rejected := sampleReply(t, wire.Rejected)
	rejected.Code, rejected.Message = "out_of_stock", "sku-sold-out: 0 left; größer als null"

	failed := sampleReply(t, wire.Failed)
	failed.Code, failed.Message, failed.RetryAfter = wire.CodeError, "dial tcp: refused", 1500*time.Millisecond

	// What a compensate and a probe are answered echoes their verb, id and command.
	undone := sampleReply(t, wire.Succeeded)
	undone.Name, undone.Verb, undone.Edition, undone.Attempt = "ReleaseItems.v1", wire.Compensate, 1, 1
	undone.CausationID, undone.TraceParent = wire.CommandID(undone.SagaID, undone.Step, wire.Compensate, 1), ""
	undone.Value = []byte(`{"released":2}`)

	nothing := undone
	nothing.Code, nothing.Value = wire.CodeNothingToUndo, []byte{}

	probed := sampleReply(t, wire.Rejected)
	probed.Name, probed.Verb = "ProbeItems.v1", wire.Probe
	probed.CausationID = wire.CommandID(probed.SagaID, probed.Step, wire.Probe, 0)
	probed.Code, probed.Message = wire.CodeNotFound, "a probe came before the command"

	replies := map[string]wire.Reply{
		"undone":          undone,
		"nothing-to-undo": nothing,
		"not-found":       probed,
		"succeeded":       succeeded,
		"rejected":        rejected,
		"failed":          failed,
		"inprogress":      sampleReply(t, wire.InProgress),
		"unknown":         sampleReply(t, wire.Unknown),
	}
	for name, r := range replies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			record := r.Record("skald.replies")
			golden(t, "reply-"+name, dump(record))
			back, err := wire.DecodeReply(record)
			require.NoError(t, err)
			require.Empty(t, cmp.Diff(r, back))
		})
	}
}

// S22: the payload's bytes are what was stored, whatever JSON they are.
func TestCommand_ValueBytesAreKept(t *testing.T) {
	t.Parallel()
	for _, value := range []string{`{"a":1,"a":2}`, `1e400`, `"\u0000"`, `"\ud800"`, " {\n} ", `null`, `[1.0, 1.00]`} {
		c := sampleCommand(t)
		c.Value = []byte(value)
		back, err := wire.DecodeCommand(c.Record("inventory.commands"))
		require.NoError(t, err, value)
		require.Equal(t, value, string(back.Value))
	}
}
