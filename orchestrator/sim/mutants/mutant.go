package main

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Mutant is an edit of the engine that breaks a promise.
type Mutant struct {
	Name string
	// What it does and why that must be found, in a sentence or two.
	What string
	// Breaks are the guarantees that the simulation may name for it (S1 to S23, L1 to L8, rule 1 to rule 15, invariant).
	Breaks []string
	// Edits are of what the simulation runs.
	Edits []Edit
	// Adapter are edits of an adapter that the simulation does not run: the same promise, in SQL or in sarama's terms.
	Adapter []Edit
	// Suite is the package and the test that must fail with the Adapter's edits: `./orchestrator/postgres TestStore`; empty: none.
	Suite string
}

// Edit replaces one text of one file by another. The old text must occur exactly once.
type Edit struct {
	File     string // from the module's root
	Old, New string
}

// ReadAll reads the mutants of a folder, in the order of Names. A name without a file, and a file without a name, is an error.
func ReadAll(dir fs.FS) ([]Mutant, error) {
	files, err := fs.Glob(dir, "*.txt")
	if err != nil {
		return nil, err
	}
	byName := map[string]Mutant{}
	for _, file := range files {
		text, err := fs.ReadFile(dir, file)
		if err != nil {
			return nil, err
		}
		name := strings.TrimSuffix(path.Base(file), ".txt")
		if !slices.Contains(Names(), name) {
			return nil, fmt.Errorf("%s is no mutant's name", file)
		}
		if byName[name], err = Read(name, string(text)); err != nil {
			return nil, fmt.Errorf("read %s: %w", file, err)
		}
	}
	var out []Mutant
	for _, name := range Names() {
		m, ok := byName[name]
		if !ok {
			return nil, fmt.Errorf("mutant %s has no file", name)
		}
		out = append(out, m)
	}
	return out, nil
}

// Read reads one mutant. First comes what it does, until an empty line; then lines `breaks: S1 L2` and `suite: PACKAGE TEST`; then the
// edits as in a diff: `@@ FILE`, or `@@ adapter FILE`, followed by lines that begin with a blank (stays), - (goes) or + (comes).
func Read(name, text string) (Mutant, error) {
	m := Mutant{Name: name}
	head, rest, _ := strings.Cut(text, "\n\n")
	m.What = strings.Join(strings.Fields(head), " ")
	var into *[]Edit
	for n, line := range strings.Split(rest, "\n") {
		key, value, _ := strings.Cut(line, " ")
		switch {
		case key == "breaks:":
			m.Breaks = splitGuarantees(value)
		case key == "suite:":
			m.Suite = value
		case key == "@@":
			into = &m.Edits
			file, adapter := strings.CutPrefix(value, "adapter ")
			if adapter {
				into = &m.Adapter
			}
			*into = append(*into, Edit{File: file})
		case into == nil && line == "", line == "" && n == strings.Count(rest, "\n"):
		case into == nil:
			return m, fmt.Errorf("line %q is outside an edit", line)
		default:
			if err := (*into)[len(*into)-1].add(line); err != nil {
				return m, err
			}
		}
	}
	return m, m.check()
}

func splitGuarantees(value string) []string {
	var out []string
	for _, g := range strings.Split(value, ",") {
		out = append(out, strings.TrimSpace(g))
	}
	return out
}

func (e *Edit) add(line string) error {
	if line == "" { // an editor that trims blanks at the end of lines
		line = " "
	}
	switch kept := line[1:] + "\n"; line[0] {
	case ' ':
		e.Old, e.New = e.Old+kept, e.New+kept
	case '-':
		e.Old += kept
	case '+':
		e.New += kept
	default:
		return fmt.Errorf("line %q begins with none of blank, - and +", line)
	}
	return nil
}

func (m *Mutant) check() error {
	switch {
	case m.What == "":
		return fmt.Errorf("it does not say what it does")
	case len(m.Breaks) == 0:
		return fmt.Errorf("it does not say which guarantee it breaks")
	case len(m.Edits) == 0:
		return fmt.Errorf("it has no edit of what the simulation runs")
	case (m.Suite == "") != (len(m.Adapter) == 0):
		return fmt.Errorf("edits of a real adapter and the suite that must find them come together")
	}
	for _, e := range slices.Concat(m.Edits, m.Adapter) {
		if e.Old == "" || e.Old == e.New {
			return fmt.Errorf("the edit of %s changes nothing, or says nowhere where", e.File)
		}
	}
	return nil
}

// Apply answers the files that the edits touch, as they become. Each edit's old text must occur exactly once.
func Apply(src fs.FS, edits []Edit) (map[string]string, error) {
	out := map[string]string{}
	for _, e := range edits {
		text, ok := out[e.File]
		if !ok {
			raw, err := fs.ReadFile(src, e.File)
			if err != nil {
				return nil, err
			}
			text = string(raw)
		}
		if n := strings.Count(text, e.Old); n != 1 {
			return nil, fmt.Errorf("the old text occurs %d times in %s, want once: the code has moved on, and the mutant must follow it:\n%s", n, e.File, e.Old)
		}
		out[e.File] = strings.Replace(text, e.Old, e.New, 1)
	}
	return out, nil
}
