package sim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Regress is a world that once broke a promise, as it is kept in testdata/regress: what was decided in it, so that it means the
// same after the chances of faults have changed.
type Regress struct {
	Seed     uint64 `json:"seed"`
	Sagas    int    `json:"sagas,omitempty"`
	Replicas int    `json:"replicas,omitempty"`
	KillAt   int    `json:"kill_at,omitempty"`
	Outside  int    `json:"outside,omitempty"`
	Faults   []Hit  `json:"faults"`
	Violated string `json:"violated"` // when it was found
	Note     string `json:"note"`     // what was wrong, for people
}

// RegressOf is what a failure decided.
func RegressOf(f *Failure) Regress {
	note, _, _ := strings.Cut(f.Violation.Message, "\n")
	r := Regress{
		Seed: f.Options.Seed, Sagas: f.Options.Sagas, Replicas: f.Options.Replicas, KillAt: f.Options.KillAt, Outside: f.Options.Outside,
		Faults: f.Options.Only, Violated: f.Violation.Guarantee, Note: note,
	}
	if r.Faults == nil {
		r.Faults = f.Report.Hits
	}
	return r
}

// Options are those of the world.
func (r Regress) Options() Options {
	opt := Options{Seed: r.Seed, Sagas: r.Sagas, Replicas: r.Replicas, KillAt: r.KillAt, Outside: r.Outside}
	if r.KillAt == 0 {
		opt.Only = append([]Hit{}, r.Faults...)
	}
	return opt
}

// Write keeps the world in a folder, under the guarantee and the seed, and answers its file.
func (r Regress) Write(dir string) (string, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(r); err != nil {
		return "", fmt.Errorf("keep seed %d: %w", r.Seed, err)
	}
	name := strings.ToLower(strings.ReplaceAll(r.Violated, " ", "-"))
	file := filepath.Join(dir, fmt.Sprintf("%s-seed-%d.json", name, r.Seed))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("keep seed %d: %w", r.Seed, err)
	}
	if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
		return "", fmt.Errorf("keep seed %d: %w", r.Seed, err)
	}
	return file, nil
}

// ReadRegress reads a kept world.
func ReadRegress(file string) (Regress, error) {
	var r Regress
	src, err := os.ReadFile(file)
	if err != nil {
		return r, fmt.Errorf("read a kept world: %w", err)
	}
	dec := json.NewDecoder(bytes.NewReader(src))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&r); err != nil {
		return r, fmt.Errorf("read %s: %w", file, err)
	}
	return r, nil
}
