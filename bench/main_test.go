package main

import (
	"os"
	"testing"
)

// TestMain lets a run start this test's binary as the participants' process.
func TestMain(m *testing.M) {
	if asParticipants() {
		return
	}
	os.Exit(m.Run())
}
