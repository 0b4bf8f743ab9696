package main

import (
	"fmt"

	"github.com/skaldhq/skald/orchestrator/asyncapi"
	"github.com/skaldhq/skald/orchestrator/definition"
	"github.com/skaldhq/skald/participants/wire"
)

// definitionAsyncAPICmd describes the messages of a definition.
type definitionAsyncAPICmd struct {
	File        string `arg:"" name:"file" help:"A YAML or JSON file; - is standard input."`
	Participant string `short:"p" placeholder:"NAME" help:"From the side of this participant alone; else from the engine's, with all of them."`
	Prefix      string `help:"What stands before the names of topics, as topics.prefix says."`
}

// Help is shown under the command's usage.
func (definitionAsyncAPICmd) Help() string {
	return `Prints an AsyncAPI 3.0 document: topics, commands and replies with their headers, and the schemas of their payloads. Those of commands follow
from the templates, where these copy what has a schema; of larger expressions nothing is known. Needs no server.

Examples:

  skald definition asyncapi order.yaml
  skald definition asyncapi order.yaml --participant payments > payments.json
  skald definition show order-placement@1 | skald definition asyncapi -`
}

// Run prints it.
func (cmd *definitionAsyncAPICmd) Run(term *console) error {
	src, err := readFile(term.in, cmd.File)
	if err != nil {
		return err
	}
	source, err := definition.ReadSource(cmd.File, src)
	if err != nil {
		return err
	}
	if cmd.Prefix != "" && !wire.ValidTopic(cmd.Prefix) {
		return wrongUsage("--prefix %q: want what a Kafka topic's name can begin with", cmd.Prefix)
	}
	doc, err := asyncapi.Document(source.JSON, asyncapi.Options{Participant: cmd.Participant, Topics: wire.Topics{Prefix: cmd.Prefix}})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(term.out, "%s\n", doc)
	return err
}
