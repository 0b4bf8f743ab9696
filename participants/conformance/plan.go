package conformance

import (
	"bytes"
	"encoding/json"

	"github.com/skaldhq/skald/participants/wire"
)

// Plan says how a participant is driven. Payloads are JSON; ${saga} in them is replaced by the saga's id, which no two checks share.
type Plan struct {
	Participant string
	Command     string          // executed, such as ChargePayment.v1
	Payload     json.RawMessage // is answered succeeded, for every saga anew
	Refused     json.RawMessage // is answered rejected; nil: none is known
	Flaky       json.RawMessage // is answered failed at attempt 1 and succeeded at attempt 2; nil: none is known
	Undo        string          // the compensation's command; "": there is none
	UndoPayload json.RawMessage // nil: {"payload": ..., "output": ...}, as the engine sends it where a definition declares none
	Probe       string          // the probe's command; "": a probe may be answered failed, unknown_command
}

// render is a payload for a saga.
func render(payload json.RawMessage, saga wire.ID) []byte {
	return bytes.ReplaceAll(payload, []byte("${saga}"), []byte(saga.String()))
}

// probe is the command's name in ce_type of a probe.
func (p *Plan) probe() string {
	if p.Probe != "" {
		return p.Probe
	}
	return "Probe" + p.Command
}
