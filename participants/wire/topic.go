package wire

import "strings"

const (
	commandsSuffix = ".commands"
	repliesTopic   = "skald.replies"
	eventsTopic    = "skald.events"
	startsTopic    = "skald.starts"
)

// Topics names the topics of one installation. The zero value has no prefix.
type Topics struct {
	Prefix string // put before every name as it is, such as "staging."
}

// Commands is the topic that the participant reads.
func (t Topics) Commands(participant string) string { return t.Prefix + participant + commandsSuffix }

// Replies is the topic that the engine reads.
func (t Topics) Replies() string { return t.Prefix + repliesTopic }

// Events is the topic of lifecycle events, keyed by saga id, with ce_sequence dense per saga.
func (t Topics) Events() string { return t.Prefix + eventsTopic }

// Starts is the topic that starts sagas.
func (t Topics) Starts() string { return t.Prefix + startsTopic }

// Participant is the inverse of Commands: whose command topic this is, and whether it is one.
func (t Topics) Participant(topic string) (string, bool) {
	name, ok := strings.CutPrefix(topic, t.Prefix)
	if !ok {
		return "", false
	}
	name, ok = strings.CutSuffix(name, commandsSuffix)
	if !ok || !ValidName(name) {
		return "", false
	}
	return name, true
}

// ValidTopic reports whether Kafka would take s as a topic's name: 1 to 249 of [a-zA-Z0-9._-], not "." or "..".
func ValidTopic(s string) bool {
	if s == "" || len(s) > 249 || s == "." || s == ".." {
		return false
	}
	for _, c := range []byte(s) {
		if !isLower(c) && !isUpper(c) && !isDigit(c) && c != '.' && c != '_' && c != '-' {
			return false
		}
	}
	return true
}
