package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/orchestrator/definition"
)

// definitionCmd are the commands about definitions.
type definitionCmd struct {
	remote

	Check    definitionCheckCmd    `cmd:"" help:"Say everything that is wrong with definitions; needs no server."`
	Try      definitionTryCmd      `cmd:"" help:"Play a definition through with replies of your choice; needs no server."`
	AsyncAPI definitionAsyncAPICmd `cmd:"" name:"asyncapi" help:"Describe the messages of a definition as an AsyncAPI document; needs no server."`
	Apply    definitionApplyCmd    `cmd:"" help:"Register definitions and activate them."`
	List     definitionListCmd     `cmd:"" help:"List definitions."`
	Show     definitionShowCmd     `cmd:"" help:"Print a definition as it was registered."`
	Activate definitionActivateCmd `cmd:"" help:"Let a version take new sagas."`
	Retire   definitionRetireCmd   `cmd:"" help:"Stop a version from taking new sagas; live ones go on."`
}

// definitionCheckCmd checks files.
type definitionCheckCmd struct {
	Files []string `arg:"" name:"file" help:"YAML or JSON files; - is standard input."`
}

// checked is what --output json says of a file.
type checked struct {
	File     string              `json:"file"`
	OK       bool                `json:"ok"`
	Saga     string              `json:"saga,omitempty"`
	Version  int                 `json:"version,omitempty"`
	Hash     string              `json:"hash,omitempty"`
	Problems []client.FieldError `json:"problems,omitempty"`
}

// Run checks them all before it fails.
func (cmd *definitionCheckCmd) Run(term *console) error {
	var results []checked
	failed := false
	for _, file := range cmd.Files {
		src, err := readFile(term.in, file)
		if err != nil {
			return err
		}
		def, err := definition.Read(file, src)
		var problems *definition.Problems
		switch {
		case errors.As(err, &problems):
			failed = true
			results = append(results, checked{File: file, Problems: fieldErrors(problems)})
			if !term.json {
				fmt.Fprintf(term.out, "%s %s: %s\n%s", term.style.bad("✗"), file, count(len(problems.List), "problem"), problems.Snippets())
			}
		case err != nil:
			return err
		default:
			results = append(results, checked{File: file, OK: true, Saga: def.Name, Version: def.Version, Hash: fmt.Sprintf("%x", def.Hash)})
			if !term.json {
				fmt.Fprintf(term.out, "%s %s: %s version %d, %s\n", term.style.good("✓"), file, def.Name, def.Version, count(len(def.Steps), "step"))
			}
		}
	}
	if term.json {
		if err := writeJSON(term.out, results); err != nil {
			return err
		}
	}
	if failed {
		return errSilent{exitUsage}
	}
	return nil
}

func fieldErrors(problems *definition.Problems) []client.FieldError {
	out := make([]client.FieldError, len(problems.List))
	for i, p := range problems.List {
		out[i] = client.FieldError{Path: p.Path, Message: p.Message, Line: p.Line, Column: p.Column}
	}
	return out
}

// definitionApplyCmd registers files.
type definitionApplyCmd struct {
	Files    []string `arg:"" name:"file" help:"YAML or JSON files; - is standard input."`
	Activate bool     `default:"true" negatable:"" help:"Let the version take new sagas."`
}

// Run registers them, one after the other, after all were checked.
func (cmd *definitionApplyCmd) Run(ctx context.Context, term *console, all *cli) error {
	type source struct {
		src     []byte
		name    string
		version int
	}
	var sources []source
	for _, file := range cmd.Files {
		src, err := readFile(term.in, file)
		if err != nil {
			return err
		}
		def, err := definition.Read(file, src)
		if err != nil {
			return err
		}
		sources = append(sources, source{src, def.Name, def.Version})
	}
	c, err := all.Definition.open()
	if err != nil {
		return err
	}
	var applied []client.Definition
	for _, s := range sources {
		def, created, err := c.PutDefinition(ctx, s.name, s.version, s.src, cmd.Activate)
		if err != nil {
			return all.Definition.explain(err)
		}
		applied = append(applied, def)
		if term.json {
			continue
		}
		word := "was there already"
		if created {
			word = "registered"
		}
		fmt.Fprintf(term.out, "%s %s@%d %s, %s\n", term.style.good("✓"), def.Name, def.Version, word, def.State)
	}
	if term.json {
		return writeJSON(term.out, applied)
	}
	return nil
}

// definitionListCmd lists definitions.
type definitionListCmd struct {
	Name string `arg:"" optional:"" help:"Only versions of this one."`
}

// Run lists them.
func (cmd *definitionListCmd) Run(ctx context.Context, term *console, all *cli) error {
	c, err := all.Definition.open()
	if err != nil {
		return err
	}
	list, err := c.Definitions(ctx, cmd.Name)
	if err != nil {
		return all.Definition.explain(err)
	}
	if term.json {
		return writeJSON(term.out, list)
	}
	if len(list.Items) == 0 {
		fmt.Fprintln(term.err, "No definition is registered: skald definition apply FILE")
		return nil
	}
	rows := [][]string{{"name", "version", "state", "registered", "hash"}}
	for _, d := range list.Items {
		rows = append(rows, []string{d.Name, strconv.Itoa(d.Version), d.State, d.CreatedAt.Local().Format("2006-01-02 15:04:05"), clip(d.Hash, 12)})
	}
	table(term.out, term.style, rows, func(column int, cell string) func(string) string {
		if column == 2 && cell == "active" {
			return term.style.good
		}
		return nil
	})
	return nil
}

// definitionRef names a version.
type definitionRef struct {
	Definition string `arg:"" completes:"version" help:"name@version."`
}

func (r *definitionRef) split() (string, int, error) {
	name, version, err := splitVersion(r.Definition)
	if err == nil && version == 0 {
		err = hint(wrongUsage("%q names no version", r.Definition), "skald definition list "+name, name+"@1")
	}
	return name, version, err
}

// splitVersion reads name@version, or a name alone with version 0.
func splitVersion(text string) (string, int, error) {
	name, digits, has := strings.Cut(text, "@")
	if !has {
		return name, 0, nil
	}
	version, err := strconv.Atoi(digits)
	if err != nil || version < 1 {
		return "", 0, wrongUsage("%q: want name@version, such as order-placement@1", text)
	}
	return name, version, nil
}

// definitionShowCmd prints one version.
type definitionShowCmd struct{ definitionRef }

// Run prints it: as it was registered, or with --output json what the server knows of it.
func (cmd *definitionShowCmd) Run(ctx context.Context, term *console, all *cli) error {
	name, version, err := cmd.split()
	if err != nil {
		return err
	}
	c, err := all.Definition.open()
	if err != nil {
		return err
	}
	if term.json {
		def, err := c.Definition(ctx, name, version)
		if err != nil {
			return all.Definition.explain(err)
		}
		return writeJSON(term.out, def)
	}
	src, err := c.DefinitionSource(ctx, name, version)
	if err != nil {
		return all.Definition.explain(err)
	}
	_, err = term.out.Write(src)
	return err
}

// definitionActivateCmd activates one version.
type definitionActivateCmd struct {
	definitionRef
	Reason string `short:"r" required:"" help:"Why; it stays in the audit."`
}

// Run activates it.
func (cmd *definitionActivateCmd) Run(ctx context.Context, term *console, all *cli) error {
	return cmd.set(ctx, term, all, func(c *client.Client, name string, version int) (client.Definition, error) {
		return c.ActivateDefinition(ctx, name, version, cmd.Reason)
	})
}

// definitionRetireCmd retires one version.
type definitionRetireCmd struct {
	definitionRef
	Reason string `short:"r" required:"" help:"Why; it stays in the audit."`
}

// Run retires it.
func (cmd *definitionRetireCmd) Run(ctx context.Context, term *console, all *cli) error {
	return cmd.set(ctx, term, all, func(c *client.Client, name string, version int) (client.Definition, error) {
		return c.RetireDefinition(ctx, name, version, cmd.Reason)
	})
}

func (r *definitionRef) set(_ context.Context, term *console, all *cli, do func(*client.Client, string, int) (client.Definition, error)) error {
	name, version, err := r.split()
	if err != nil {
		return err
	}
	c, err := all.Definition.open()
	if err != nil {
		return err
	}
	def, err := do(c, name, version)
	if err != nil {
		return all.Definition.explain(err)
	}
	if term.json {
		return writeJSON(term.out, def)
	}
	fmt.Fprintf(term.out, "%s@%d is %s\n", def.Name, def.Version, def.State)
	return nil
}
