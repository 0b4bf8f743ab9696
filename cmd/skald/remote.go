package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/skaldhq/skald/api/client"
)

// remote is the server that a command talks to.
type remote struct {
	Server string `env:"SKALD_SERVER" default:"http://127.0.0.1:8080" placeholder:"URL" help:"Address of the API."`
	Token  string `env:"SKALD_API_KEY,SKALD_TOKEN" placeholder:"TOKEN" help:"An API key, or a token of the identity provider, where the server asks for one."`
}

// open makes the client; nothing is sent yet.
func (r *remote) open() (*client.Client, error) {
	c, err := client.New(r.Server, client.WithToken(r.Token), client.WithUserAgent("skald-cli/"+readBuild().Version))
	if err != nil {
		return nil, &hinted{code: exitUsage, err: err}
	}
	return c, nil
}

// explain says what to do where nobody answers at the address.
func (r *remote) explain(err error) error {
	var dial *net.OpError
	if errors.As(err, &dial) {
		return &hinted{code: exitUnreachable, err: fmt.Errorf("no server at %s: %w", r.Server, dial.Err), hints: []string{
			"skald dev          to run one on this machine", "--server URL       or SKALD_SERVER, to name another",
		}}
	}
	return err
}

// isID tells ids from business keys.
func isID(text string) bool {
	return regexp.MustCompile(`^(?i)[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`).MatchString(text)
}

// find is the id of a saga that was named by its id or by its business key: of several with one key, the newest.
func find(ctx context.Context, c *client.Client, name string) (string, error) {
	if isID(name) {
		return strings.ToLower(name), nil
	}
	list, err := c.Sagas(ctx, client.SagaFilter{Key: name, Limit: 20})
	if err != nil {
		return "", err
	}
	if len(list.Items) == 0 {
		return "", &hinted{code: exitNotFound, err: fmt.Errorf("no saga has the id or the business key %q", name), hints: []string{"skald saga list"}}
	}
	types := map[string]string{}
	for _, sg := range slices.Backward(list.Items) {
		types[sg.Saga] = sg.ID
	}
	if len(types) > 1 {
		return "", wrongUsage("%q is the business key of sagas of %s: give the id of one", name, strings.Join(sortedKeys(types), ", "))
	}
	return list.Items[0].ID, nil
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// readArgument is a flag's value as it stands, the content of a file (@name), or of standard input (-).
func readArgument(in io.Reader, value string) ([]byte, error) {
	switch {
	case value == "-":
		return readAll(in, "standard input")
	case strings.HasPrefix(value, "@"):
		f, err := os.Open(value[1:])
		if err != nil {
			return nil, &hinted{code: exitUsage, err: err}
		}
		defer f.Close()
		return readAll(f, value[1:])
	}
	return []byte(value), nil
}

// readFile reads a file, or standard input for "-".
func readFile(in io.Reader, name string) ([]byte, error) {
	if name == "-" {
		return readAll(in, "standard input")
	}
	return readArgument(in, "@"+name)
}

// maxFile bounds what is read from files: more is never an input or a definition.
const maxFile = 8 << 20

func readAll(r io.Reader, name string) ([]byte, error) {
	content, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	switch {
	case err != nil:
		return nil, &hinted{code: exitUsage, err: fmt.Errorf("read %s: %w", name, err)}
	case len(content) > maxFile:
		return nil, wrongUsage("%s is larger than %d MiB", name, maxFile>>20)
	}
	return content, nil
}
