package ui

import (
	"fmt"
	"strings"
	"unicode"
)

// Visible is a text that somebody else wrote, as one line, with what would not show, or would turn the text around it, written out:
// control characters and those that set the direction, such as \u202e. Spaces of all kinds become plain ones.
func Visible(text string) string {
	return written(strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		return r
	}, text), func(r rune) bool { return steers(r) || r == unicode.ReplacementChar })
}

// VisibleLines is Visible for data: spaces, lines and tabs stay what they are.
func VisibleLines(text string) string {
	return written(text, func(r rune) bool { return r != '\n' && r != '\t' && steers(r) })
}

func steers(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }

// written writes out the characters that are hidden.
func written(text string, hidden func(rune) bool) string {
	if strings.IndexFunc(text, hidden) < 0 {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if hidden(r) {
			fmt.Fprintf(&b, `\u%04x`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}
