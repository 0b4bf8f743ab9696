package configs

import (
	"embed"
	"io/fs"
)

//go:embed definitions/*.yaml
var definitions embed.FS

// DefinitionPlacement is the path in Definitions of the saga that everything runs from the first day.
const DefinitionPlacement = "order-placement.yaml"

// Definitions are the sample definitions, one file each, <saga>.yaml. The reference participants can run all of them.
func Definitions() fs.FS {
	sub, err := fs.Sub(definitions, "definitions")
	if err != nil {
		panic(err) // the folder is embedded
	}
	return sub
}
