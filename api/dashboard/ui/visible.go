package ui

import (
	"fmt"
	"strings"
	"unicode"
)

// Visible is a text that somebody else wrote, with what would not show, or would turn the text around it, written out: control
// characters and those that set the direction, such as \u202e. Spaces of all kinds become plain ones.
func Visible(text string) string {
	hidden := func(r rune) bool {
		return r != ' ' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.IsSpace(r) || r == unicode.ReplacementChar)
	}
	if strings.IndexFunc(text, hidden) < 0 {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '\n' || r == '\t' || r == '\r' || unicode.IsSpace(r):
			b.WriteByte(' ')
		case hidden(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
