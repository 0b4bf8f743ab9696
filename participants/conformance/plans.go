package conformance

import (
	"embed"
	"fmt"
	"io/fs"
	"strings"
)

//go:embed plans/*.yaml
var plans embed.FS

// BuiltIn is the plan of a reference participant, and whether there is one.
func BuiltIn(participant string) (*Plan, bool) {
	src, err := plans.ReadFile("plans/" + participant + ".yaml")
	if err != nil {
		return nil, false
	}
	plan, err := ReadPlan(participant+".yaml", src)
	if err != nil {
		panic(fmt.Sprintf("conformance: a plan that comes with the kit: %v", err))
	}
	return plan, true
}

// BuiltInNames are the participants with a plan that comes with the kit, sorted.
func BuiltInNames() []string {
	entries, _ := fs.ReadDir(plans, "plans") // is embedded
	names := make([]string, len(entries))
	for i, e := range entries {
		names[i] = strings.TrimSuffix(e.Name(), ".yaml")
	}
	return names
}
