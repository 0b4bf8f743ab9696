package asyncapi

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/skaldhq/skald/participants/wire"
)

// Options say whose side is described.
type Options struct {
	Participant string // empty: the engine's side, with all participants
	Topics      wire.Topics
}

// The parts of an AsyncAPI document that are written.
type (
	document struct {
		AsyncAPI    string               `json:"asyncapi"`
		Info        info                 `json:"info"`
		ContentType string               `json:"defaultContentType"`
		Channels    map[string]channel   `json:"channels"`
		Operations  map[string]operation `json:"operations"`
		Components  components           `json:"components"`
	}
	info struct {
		Title       string `json:"title"`
		Version     string `json:"version"`
		Description string `json:"description,omitempty"`
	}
	channel struct {
		Address     string         `json:"address"`
		Description string         `json:"description,omitempty"`
		Messages    map[string]ref `json:"messages"`
	}
	operation struct {
		Action   string `json:"action"` // send or receive
		Channel  ref    `json:"channel"`
		Summary  string `json:"summary,omitempty"`
		Messages []ref  `json:"messages"`
		Reply    *reply `json:"reply,omitempty"`
	}
	reply struct {
		Address  address `json:"address"`
		Channel  ref     `json:"channel"`
		Messages []ref   `json:"messages"`
	}
	address struct {
		Location    string `json:"location"`
		Description string `json:"description,omitempty"`
	}
	components struct {
		Messages map[string]message `json:"messages"`
		Schemas  map[string]any     `json:"schemas"`
	}
	message struct {
		Name        string `json:"name"`
		Title       string `json:"title"`
		Summary     string `json:"summary"`
		ContentType string `json:"contentType"`
		Headers     any    `json:"headers"`
		Payload     any    `json:"payload"`
	}
	ref struct {
		Ref string `json:"$ref"`
	}
)

const contentType = "application/json"

// Document describes a definition, given as canonical JSON (definition.Source). Errors: the JSON is no definition; no step is the
// participant's.
func Document(canonical []byte, opts Options) ([]byte, error) {
	var def plan
	if err := json.Unmarshal(canonical, &def); err != nil {
		return nil, fmt.Errorf("read the definition: %w", err)
	}
	d := &describer{plan: &def, opts: opts, doc: document{
		AsyncAPI: "3.0.0", ContentType: contentType, Channels: map[string]channel{}, Operations: map[string]operation{},
		Components: components{Messages: map[string]message{}, Schemas: map[string]any{}},
	}, commands: map[string]*alternatives{}, replies: map[string]*alternatives{}}
	d.doc.Info = info{Title: def.Saga, Version: strconv.Itoa(def.Version), Description: def.Description}
	if opts.Participant != "" {
		d.doc.Info.Title = opts.Participant + " in " + def.Saga
	}
	d.schemas()
	for i := range def.Steps {
		if s := &def.Steps[i]; opts.Participant == "" || opts.Participant == s.Participant {
			d.step(s)
		}
	}
	if len(d.commands) == 0 {
		return nil, fmt.Errorf("%s has no step of participant %q", def.Saga, opts.Participant)
	}
	d.join()
	return json.MarshalIndent(d.doc, "", "  ")
}

// plan is what of a definition's canonical JSON is described.
type plan struct {
	Saga        string          `json:"saga"`
	Version     int             `json:"version"`
	Description string          `json:"description"`
	Input       json.RawMessage `json:"input"`
	Steps       []step          `json:"steps"`
}

type step struct {
	Name         string          `json:"name"`
	Participant  string          `json:"participant"`
	Command      string          `json:"command"`
	Payload      json.RawMessage `json:"payload"`
	Returns      json.RawMessage `json:"returns"`
	Compensation *struct {
		Command string          `json:"command"`
		Payload json.RawMessage `json:"payload"`
	} `json:"compensation"`
	Probe string `json:"probe"`
}

// describer gathers a document.
type describer struct {
	plan *plan
	opts Options
	doc  document
	// By the command's name; a message's payloads are those of all steps that send it.
	commands, replies map[string]*alternatives
}

// alternatives are what a message's payload may be, each once, in the order of the steps.
type alternatives struct {
	participant, command, verb string
	payloads                   []any
	steps                      []string
}

func (a *alternatives) add(step string, payload any) {
	if !slices.Contains(a.steps, step) {
		a.steps = append(a.steps, step)
	}
	text, _ := json.Marshal(payload) // it came from JSON
	for _, known := range a.payloads {
		if same, _ := json.Marshal(known); string(same) == string(text) {
			return
		}
	}
	a.payloads = append(a.payloads, payload)
}

func (a *alternatives) schema() any {
	if len(a.payloads) == 1 {
		return a.payloads[0]
	}
	return map[string]any{"anyOf": a.payloads}
}

func (d *describer) step(s *step) {
	forward := d.payload(s.Payload, s)
	d.command(s, s.Command, "execute", forward, d.returned(s))
	if s.Compensation != nil {
		var payload any = map[string]any{
			"type": "object", "required": []string{"output", "payload"},
			"properties": map[string]any{"payload": forward, "output": orNull(d.returned(s))},
		}
		if len(s.Compensation.Payload) > 0 {
			payload = d.payload(s.Compensation.Payload, s)
		}
		d.command(s, s.Compensation.Command, "compensate", payload, anything())
	}
	if s.Probe != "" {
		d.command(s, s.Probe, "probe", forward, d.returned(s))
	}
}

// command adds a command and its reply.
func (d *describer) command(s *step, command, verb string, payload, output any) {
	name := s.Participant + "." + command
	if d.commands[name] == nil {
		d.commands[name] = &alternatives{participant: s.Participant, command: command, verb: verb}
		d.replies[name] = &alternatives{}
	}
	d.commands[name].add(s.Name, payload)
	d.replies[name].add(s.Name, output)
}

// asks says what a command asks for.
func asks(a *alternatives) string {
	return map[string]string{
		"execute": a.participant + " is asked to do it.", "compensate": a.participant + " is asked to undo it.",
		"probe": a.participant + " is asked what became of it.",
	}[a.verb]
}

// join makes channels, operations and messages of what was gathered.
func (d *describer) join() {
	replies := d.opts.Topics.Replies()
	action := "send"
	if d.opts.Participant != "" {
		action = "receive"
	}
	d.doc.Channels[replies] = channel{Address: replies, Description: "Answers of all participants, keyed by saga id.", Messages: map[string]ref{}}
	for _, name := range slices.Sorted(maps.Keys(d.commands)) {
		c, answer := d.commands[name], name+wire.ReplySuffix
		topic := d.opts.Topics.Commands(c.participant)
		if _, ok := d.doc.Channels[topic]; !ok {
			d.doc.Channels[topic] = channel{Address: topic, Description: "Commands to " + c.participant + ", keyed by saga id.", Messages: map[string]ref{}}
		}
		d.doc.Channels[topic].Messages[name] = messageRef(name)
		d.doc.Channels[replies].Messages[answer] = messageRef(answer)
		d.doc.Components.Messages[name] = message{
			Name: name, Title: c.command, Summary: joined(c.steps) + ": " + asks(c), ContentType: contentType,
			Headers: schemaRef("command-headers"), Payload: c.schema(),
		}
		d.doc.Components.Messages[answer] = message{
			Name: answer, Title: c.command + ", answered", Summary: "The payload is that of ce_sagaoutcome succeeded; with any other outcome it may be anything, or empty.",
			ContentType: contentType, Headers: schemaRef("reply-headers"), Payload: d.replies[name].schema(),
		}
		d.doc.Operations[name] = operation{
			Action: action, Channel: ref{"#/channels/" + escape(topic)}, Summary: c.verb + ": " + joined(c.steps),
			Messages: []ref{{"#/channels/" + escape(topic) + "/messages/" + escape(name)}},
			Reply: &reply{
				Address: address{"$message.header#/" + wire.HeaderReplyTo, "The topic that the command names."},
				Channel: ref{"#/channels/" + escape(replies)}, Messages: []ref{{"#/channels/" + escape(replies) + "/messages/" + escape(answer)}},
			},
		}
	}
	d.doc.Components.Schemas["command-headers"], d.doc.Components.Schemas["reply-headers"] = commandHeaders(d.plan), replyHeaders()
}
