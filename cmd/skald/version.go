package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// build says which build this is.
type build struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Time     string `json:"time,omitempty"`
	Modified bool   `json:"modified,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// readBuild asks the binary, which knows its module's version and its commit.
func readBuild() build {
	b := build{Version: "devel", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		b.Version = v
	}
	for _, setting := range info.Settings {
		switch setting.Key {
		case "vcs.revision":
			b.Revision = setting.Value
		case "vcs.time":
			b.Time = setting.Value
		case "vcs.modified":
			b.Modified = setting.Value == "true"
		}
	}
	return b
}

type versionCmd struct{}

// Run prints the version.
func (versionCmd) Run(term *console) error {
	b := readBuild()
	if term.json {
		return writeJSON(term.out, b)
	}
	fmt.Fprintf(term.out, "skald %s (%s, %s)\n", b.Version, b.Go, b.Platform)
	if b.Revision != "" {
		fmt.Fprintf(term.out, "commit %s of %s\n", b.Revision, b.Time)
	}
	return nil
}
