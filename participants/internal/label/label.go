// Package label makes the readable ids of the reference participants.
package label

import (
	"encoding/hex"

	"github.com/skaldhq/skald/participants/wire"
)

// From is prefix, an underscore and 16 digits of a command's id: the same whenever the command is handled.
func From(prefix string, id wire.ID) string { return prefix + "_" + hex.EncodeToString(id[:8]) }
