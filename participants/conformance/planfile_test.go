package conformance

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/participants/wire"
)

func TestReadPlan(t *testing.T) {
	t.Parallel()
	plan, err := ReadPlan("shop.yaml", []byte(`
participant: shop
command: Buy.v1
payload: {order: "${saga}", cents: 10000000000000001, list: [1.5, yes, null]}
refused: {order: ""}
flaky: "soon"
compensation: {command: Return.v1, payload: {order: "${saga}"}}
probe: Look.v2
`))
	require.NoError(t, err)
	require.Equal(t, "shop", plan.Participant)
	require.JSONEq(t, `{"order":"${saga}","cents":10000000000000001,"list":[1.5,"yes",null]}`, string(plan.Payload))
	require.Equal(t, `{"order":""}`, string(plan.Refused))
	require.Equal(t, `"soon"`, string(plan.Flaky))
	require.Equal(t, "Return.v1", plan.Undo)
	require.Equal(t, "Look.v2", plan.probe())
	saga := wire.RandomID()
	require.Equal(t, `{"order":"`+saga.String()+`"}`, string(render(plan.UndoPayload, saga)))

	plan, err = ReadPlan("x.json", []byte(`{"participant": "shop", "command": "Buy.v1", "payload": 1}`))
	require.NoError(t, err)
	require.Empty(t, plan.Undo)
	require.Nil(t, plan.Refused)
}

// TestReadPlan_Wrong: all problems at once, each with its place.
func TestReadPlan_Wrong(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, src, want string }{
		{"All", "participant: Shop\ncomand: Buy.v1\npayload: {}\npayload: {}\ncompensation: {command: Return, payloads: {}}\n", `p.yaml:1:1: command: is missing
p.yaml:1:14: participant: want a participant's name ([a-z][a-z0-9-]*)
p.yaml:2:1: comand: no such key: want participant, command, payload, refused, flaky, compensation, probe
p.yaml:4:1: payload: stands here twice
p.yaml:5:25: compensation.command: want a command's name, such as ReserveItems.v1
p.yaml:5:33: compensation.payloads: no such key: want command, payload`},
		{"Empty", "# nothing\n", "p.yaml:1:1: empty: want a plan"},
		{"List", "- a\n", "p.yaml:1:1: want an object with participant, command, payload, refused, flaky, compensation, probe"},
		{"Two", "participant: a\n---\nparticipant: b\n", "p.yaml:2:1: a second document: want one plan"},
		{"NotYAML", "a: [\n", "p.yaml:2:1: not YAML: "},
		{"NoJSON", "participant: a\ncommand: B.v1\npayload: {a: .nan}\n", "p.yaml:3:10: payload: is no JSON: json: unsupported value: NaN"},
		{"Huge", strings.Repeat("#", maxPlan+1), "p.yaml:1:1: 1048577 bytes: at most 1048576 are read"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := ReadPlan("p.yaml", []byte(c.src))
			var problems *PlanError
			require.ErrorAs(t, err, &problems)
			if c.name == "NotYAML" {
				require.Contains(t, err.Error(), "not YAML")
				return
			}
			require.Equal(t, c.want, err.Error())
		})
	}
}

func TestBuiltIn(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{"inventory", "orders", "payments", "shipping"}, BuiltInNames())
	for _, name := range BuiltInNames() {
		plan, ok := BuiltIn(name)
		require.True(t, ok)
		require.Equal(t, name, plan.Participant)
	}
	_, ok := BuiltIn("nobody")
	require.False(t, ok)
}
