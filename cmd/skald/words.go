package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/skaldhq/skald/api/client"
)

// completeLimit bounds how long a shell waits for words from the server.
const completeLimit = time.Second

// completeMost is how many sagas, records and the like are offered.
const completeMost = 100

// wordsCmd prints words that could be typed, one a line. The completion scripts ask it for what only the server knows. Where that
// does not answer in time there are none, and nothing is said.
type wordsCmd struct {
	remote

	Kind  string   `arg:"" enum:"saga,step,definition,version,participant,operation,hold,quarantine" help:"What is to be named."`
	Words []string `arg:"" optional:"" passthrough:"" help:"The words before the one that is completed, without skald."`
}

// Run prints them.
func (cmd *wordsCmd) Run(ctx context.Context, term *console) error {
	ctx, cancel := context.WithTimeout(ctx, completeLimit)
	defer cancel()
	at := cmd.remote
	for i, word := range cmd.Words { // a server that was named before
		if value, ok := strings.CutPrefix(word, "--server="); ok {
			at.Server = value
		} else if word == "--server" && i+1 < len(cmd.Words) {
			at.Server = cmd.Words[i+1]
		}
	}
	c, err := at.open()
	if err != nil {
		return nil //nolint:nilerr // a shell that completes has no place for errors
	}
	seen := map[string]bool{"": true}
	for _, word := range cmd.words(ctx, c) {
		if !seen[word] && plain(word) == word && !strings.ContainsAny(word, " \t'\"\\$`*?[]{}()<>|&;!#~") {
			fmt.Fprintln(term.out, word)
		}
		seen[word] = true
	}
	return nil
}

// words are what the server knows; none where it does not answer.
func (cmd *wordsCmd) words(ctx context.Context, c *client.Client) (out []string) {
	switch cmd.Kind {
	case "saga":
		list, _ := c.Sagas(ctx, client.SagaFilter{Limit: completeMost})
		for _, sg := range list.Items {
			out = append(out, sg.ID, sg.Key)
		}
	case "step":
		name := cmd.saga()
		if name == "" {
			return nil
		}
		if sg, err := readSaga(ctx, c, name); err == nil {
			for i := range sg.Steps {
				out = append(out, sg.Steps[i].Name)
			}
		}
	case "definition", "version":
		list, _ := c.Definitions(ctx, "")
		for i := range list.Items {
			if out = append(out, list.Items[i].Name); cmd.Kind == "version" {
				out = append(out, fmt.Sprintf("%s@%d", list.Items[i].Name, list.Items[i].Version))
			}
		}
	case "participant":
		list, _ := c.Participants(ctx)
		for i := range list.Items {
			out = append(out, list.Items[i].Name)
		}
	case "operation":
		list, _ := c.Operations(ctx, "", completeMost)
		for i := range list.Items {
			out = append(out, strconv.FormatInt(list.Items[i].ID, 10))
		}
	case "hold":
		list, _ := c.Holds(ctx)
		for i := range list {
			out = append(out, strconv.FormatInt(list[i].ID, 10))
		}
	case "quarantine":
		list, _ := c.Quarantine(ctx, client.QuarantineFilter{State: client.QuarantineWaiting, Limit: completeMost})
		for i := range list.Items {
			out = append(out, strconv.FormatInt(list.Items[i].ID, 10))
		}
	}
	return out
}

// saga is the one that the words before name: skald saga ACTION SAGA.
func (cmd *wordsCmd) saga() string {
	if len(cmd.Words) > 2 && cmd.Words[0] == "saga" {
		return cmd.Words[2]
	}
	return ""
}
