package configs

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/alecthomas/kong"
)

// Key describes one setting in all its spellings.
type Key struct {
	Path    string // in a file: intake.batch_events
	Flag    string // --intake-batch-events
	Env     string // SKALD_INTAKE_BATCH_EVENTS
	Default string // as one would write it; empty: none
	Help    string
}

// Keys lists every key, in the order of Config.
func Keys() []Key {
	var keys []Key
	for _, flag := range flags() {
		value := flag.Default
		if value == "" && flag.IsBool() {
			value = "false"
		}
		keys = append(keys, Key{
			Path: path(flag), Flag: "--" + flag.Name, Env: flag.Tag.Envs[0], Default: value, Help: flag.Help,
		})
	}
	return keys
}

// flags are Config's, without those that are no keys: --help and --config.
func flags() []*kong.Flag {
	app, err := kong.New(&Config{}, kong.NoDefaultHelp())
	if err != nil {
		panic(err) // a malformed tag in Config
	}
	var all []*kong.Flag
	for _, flag := range app.Model.Flags {
		if flag.Name != "config" {
			all = append(all, flag)
		}
	}
	return all
}

// path turns a flag's name into the key's path in a file: the group, a dot, the rest with underscores.
func path(flag *kong.Flag) string {
	for field := range fields() {
		prefix := field.Tag.Get("prefix")
		if rest, found := strings.CutPrefix(flag.Name, prefix); found && prefix != "" {
			return strings.TrimSuffix(prefix, "-") + "." + strings.ReplaceAll(rest, "-", "_")
		}
	}
	return strings.ReplaceAll(flag.Name, "-", "_")
}

func fields() func(yield func(reflect.StructField) bool) {
	return func(yield func(reflect.StructField) bool) {
		t := reflect.TypeFor[Config]()
		for i := range t.NumField() {
			if !yield(t.Field(i)) {
				return
			}
		}
	}
}

//go:generate go test . -run TestSampleFile_IsUpToDate -update

// SampleFile is a configuration file with every key, commented out, at its default.
func SampleFile() string {
	var b strings.Builder
	b.WriteString("# Every key of the service, at its default. Each can also be a flag (--intake-batch-events) or an environment\n" +
		"# variable (SKALD_INTAKE_BATCH_EVENTS). A flag wins over the environment, the environment over this file.\n")
	group := ""
	for _, key := range Keys() {
		indent := ""
		name := key.Path
		if g, rest, nested := strings.Cut(key.Path, "."); nested {
			if g != group {
				fmt.Fprintf(&b, "\n#%s:\n", g)
				group = g
			}
			indent, name = "  ", rest
		} else {
			b.WriteString("\n")
		}
		value := key.Default
		if value == "" {
			value = `""`
		}
		fmt.Fprintf(&b, "#%s# %s\n#%s%s: %s\n", indent, key.Help, indent, name, value)
	}
	return b.String()
}
