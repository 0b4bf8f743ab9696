package definition

import (
	"strings"
	"unicode/utf8"
)

// piece is a part of a template's string: literal text, or the inside of a ${...}.
type piece struct {
	expression bool
	text       string
	offset     int // of an expression's first character within the string, in characters
}

// split takes a string apart. $${ stands for ${. The answer is the offset of a ${ that nothing closes, or -1.
func split(s string) (pieces []piece, unclosed int) {
	var literal strings.Builder
	flush := func() {
		if literal.Len() > 0 {
			pieces = append(pieces, piece{text: literal.String()})
			literal.Reset()
		}
	}
	for i := 0; i < len(s); {
		switch {
		case strings.HasPrefix(s[i:], "$${"):
			literal.WriteString("${")
			i += 3
		case strings.HasPrefix(s[i:], "${"):
			end := closingBrace(s, i+2)
			if end < 0 {
				return nil, utf8.RuneCountInString(s[:i])
			}
			flush()
			pieces = append(pieces, piece{true, s[i+2 : end], utf8.RuneCountInString(s[:i+2])})
			i = end + 1
		default:
			literal.WriteByte(s[i])
			i++
		}
	}
	flush()
	return pieces, -1
}

// closingBrace answers where the brace stands that ends the expression which begins at i; -1 if none does. Braces within CEL's
// strings and comments do not count.
func closingBrace(s string, i int) int {
	depth := 0
	for i < len(s) {
		switch c := s[i]; {
		case c == '{':
			depth++
		case c == '}':
			if depth == 0 {
				return i
			}
			depth--
		case c == '"' || c == '\'':
			i = stringEnd(s, i)
			continue
		case strings.HasPrefix(s[i:], "//"):
			for i < len(s) && s[i] != '\n' {
				i++
			}
			continue
		}
		i++
	}
	return -1
}

// stringEnd answers where CEL's string that begins at i ends: '...', "...", with three quotes, and raw after an r.
func stringEnd(s string, i int) int {
	raw := i > 0 && (s[i-1] == 'r' || s[i-1] == 'R')
	quote := s[i : i+1]
	if triple := strings.Repeat(quote, 3); strings.HasPrefix(s[i:], triple) {
		quote = triple
	}
	for i += len(quote); i < len(s); i++ {
		if s[i] == '\\' && !raw {
			i++
		} else if strings.HasPrefix(s[i:], quote) {
			return i + len(quote)
		}
	}
	return len(s)
}
