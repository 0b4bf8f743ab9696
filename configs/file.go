package configs

import (
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"

	"github.com/alecthomas/kong"
	"go.yaml.in/yaml/v4"
)

// File is the path of a configuration file. As a flag it puts the file's values under those of flags and environment.
type File string

// BeforeResolve is called by kong once flags and environment are read; it reads the file and hands over its values.
func (f File) BeforeResolve(ctx *kong.Context, trace *kong.Path) error {
	// Not f: a flag's value has not reached its field yet.
	name, _ := ctx.FlagValue(trace.Flag).(File)
	if name == "" {
		return nil
	}
	file, err := os.Open(string(name))
	if err != nil {
		return fmt.Errorf("read configuration: %w", err)
	}
	defer file.Close()
	values, err := ReadYAML(file, string(name))
	if err != nil {
		return err
	}
	ctx.AddResolver(values)
	return nil
}

var errSecondDocument = errors.New("want one document, a second one follows")

// values are the keys of a file, by flag name.
type values map[string]string

// ReadYAML reads the keys of a configuration file as a source of values for kong. name is for its errors, which come all at
// once, each with line and key: unknown keys with a suggestion, and values of the wrong type.
func ReadYAML(r io.Reader, name string) (kong.Resolver, error) {
	loader, err := yaml.NewLoader(r)
	if err != nil {
		return nil, fmt.Errorf("read configuration %s: %w", name, err)
	}
	var doc, second yaml.Node
	if err := loader.Load(&doc); err != nil && !errors.Is(err, io.EOF) { // EOF: nothing but comments
		return nil, fmt.Errorf("read configuration %s: %w", name, err)
	}
	if err := loader.Load(&second); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read configuration %s: %w", name, errors.Join(errSecondDocument, err))
	}
	reader := fileReader{name: name, known: map[string]*kong.Flag{}, values: values{}}
	for _, flag := range flags() {
		reader.known[path(flag)] = flag
	}
	root := &doc
	if doc.Kind == yaml.DocumentNode && len(doc.Content) > 0 {
		root = doc.Content[0]
	}
	reader.mapping(root, "")
	return reader.values, errors.Join(reader.errs...)
}

// fileReader walks a file and gathers values and mistakes.
type fileReader struct {
	name   string
	known  map[string]*kong.Flag // by path
	values values
	errs   []error
}

func (r *fileReader) mapping(node *yaml.Node, prefix string) {
	if node.Kind == yaml.ScalarNode && node.Tag == "!!null" || node.Kind == 0 {
		return // a file of comments, or a group without keys
	}
	if node.Kind != yaml.MappingNode {
		r.fail(node, strings.TrimSuffix(prefix, "."), "want keys with values")
		return
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		full := prefix + key.Value
		twice := seen[full]
		seen[full] = true
		switch {
		case twice:
			r.fail(key, full, "stands twice")
		case r.known[full] != nil:
			r.value(value, full)
		case prefix == "" && r.isGroup(full):
			r.mapping(value, full+".")
		default:
			problem := "unknown key"
			if near := nearest(full, r.known); near != "" {
				problem += fmt.Sprintf(", did you mean %s?", near)
			}
			r.fail(key, full, problem)
		}
	}
}

func (r *fileReader) isGroup(name string) bool {
	for path := range r.known {
		if strings.HasPrefix(path, name+".") {
			return true
		}
	}
	return false
}

// value keeps a scalar or a list of scalars, after trying whether its flag takes it.
func (r *fileReader) value(node *yaml.Node, path string) {
	text := node.Value
	switch {
	case node.Kind == yaml.SequenceNode:
		var parts []string
		for _, item := range node.Content {
			if item.Kind != yaml.ScalarNode {
				r.fail(item, path, "want a list of plain values")
				return
			}
			parts = append(parts, item.Value)
		}
		text = strings.Join(parts, ",")
	case node.Kind != yaml.ScalarNode:
		r.fail(node, path, "want a plain value")
		return
	case node.Tag == "!!null":
		r.fail(node, path, `has no value; write "" for an empty one`)
		return
	}
	flag := r.known[path]
	trial := reflect.New(flag.Target.Type()).Elem()
	if err := flag.Parse(kong.ScanFromTokens(kong.Token{Type: kong.FlagValueToken, Value: text}), trial); err != nil {
		// kong speaks of the flag; here it came from the file.
		r.fail(node, path, strings.TrimPrefix(err.Error(), "--"+flag.Name+": "))
		return
	}
	if flag.Enum != "" && !flag.EnumMap()[text] {
		r.fail(node, path, fmt.Sprintf("%q: want one of %s", text, strings.Join(flag.EnumSlice(), ", ")))
		return
	}
	r.values[flag.Name] = text
}

func (r *fileReader) fail(node *yaml.Node, path, problem string) {
	r.errs = append(r.errs, fmt.Errorf("%s:%d:%d: %s: %s", r.name, node.Line, node.Column, path, problem))
}

// Validate is part of kong.Resolver; the keys were checked when the file was read.
func (values) Validate(*kong.Application) error { return nil }

// Resolve gives kong the value of a flag. What the environment sets comes first: kong itself would let the file win.
func (v values) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	for _, env := range flag.Tag.Envs {
		if _, set := os.LookupEnv(env); set {
			return nil, nil
		}
	}
	if text, ok := v[flag.Name]; ok {
		return text, nil
	}
	return nil, nil
}

// nearest returns the known key that is most like the given one, "" when none is like it.
func nearest(key string, known map[string]*kong.Flag) string {
	best, least := "", 1+len(key)/3
	for candidate := range known {
		// The group is often forgotten: header_limit for http.header_limit.
		_, name, _ := strings.Cut(candidate, ".")
		d := min(distance(key, candidate), 1+distance(key, name))
		if d < least || d == least && candidate < best {
			best, least = candidate, d
		}
	}
	return best
}

// distance is Levenshtein's: how many letters to change, add or leave out.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			above := row[j+1]
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(above+1, row[j]+1, diagonal+cost)
			diagonal = above
		}
	}
	return row[len(b)]
}
