package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestMain lets scripts call skald, which is then this test's binary.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"skald": main})
}

// TestScripts runs testdata/script: what needs no server.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{Dir: "testdata/script", RequireExplicitExec: true, RequireUniqueNames: true})
}
