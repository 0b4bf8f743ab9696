package story

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/skaldhq/skald/api/client"
)

// Words turns an identifier into words: cleanly_aborted, cleanly aborted.
func Words(identifier string) string {
	return strings.NewReplacer("_", " ", ".", " ").Replace(identifier)
}

// Took writes a span as people read it.
func Took(d time.Duration) string {
	switch {
	case d < 0:
		return "-" + Took(-d)
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%dm %ds", int(d.Minutes()), int(d.Seconds())%60)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh %dm", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d d", int(d.Hours()/24))
}

// When writes a time with how far it is away.
func When(t, now time.Time) string {
	if t.After(now) {
		return "in " + Took(t.Sub(now)) + " (" + Clock(&t) + ")"
	}
	return Took(now.Sub(t)) + " ago (" + Clock(&t) + ")"
}

// Clock writes a time of day in UTC; nil is the end of something's time that nobody knows.
func Clock(t *time.Time) string {
	if t == nil {
		return "the end of its time"
	}
	return t.UTC().Format("15:04:05Z")
}

// Coded writes a code with its message.
func Coded(code, message string) string {
	switch {
	case code == "":
		return message
	case message == "" || message == code:
		return code
	}
	return code + ": " + message
}

// Coordinates write where a record stands, as tools for Kafka do; nothing where its topic is not known.
func Coordinates(c *client.Coordinates) string {
	if c == nil || c.Topic == "" {
		return ""
	}
	return fmt.Sprintf("%s/%d @%d", c.Topic, c.Partition, c.Offset)
}

// Compact is a short piece of JSON; nothing for null and {}.
func Compact(raw json.RawMessage) string {
	if text := strings.TrimSpace(string(raw)); text != "null" && text != "{}" {
		return text
	}
	return ""
}

// Of names a step behind something about it; nothing for the saga as a whole.
func Of(step string) string {
	if step == "" {
		return ""
	}
	return " (" + step + ")"
}
