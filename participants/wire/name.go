package wire

// MaxName is the longest name of a saga, step or participant, in bytes.
const MaxName = 63

// ValidName reports whether s names a saga, step or participant: [a-z][a-z0-9-]{0,62}.
// "skald" is of that form and reserved; who registers a participant refuses it.
func ValidName(s string) bool {
	if s == "" || len(s) > MaxName || !isLower(s[0]) {
		return false
	}
	for i := 1; i < len(s); i++ {
		if c := s[i]; !isLower(c) && !isDigit(c) && c != '-' {
			return false
		}
	}
	return true
}

// ValidCommandName reports whether s names a command: [A-Za-z][A-Za-z0-9]*\.v[1-9][0-9]*, such as ReserveItems.v1.
func ValidCommandName(s string) bool {
	i := 0
	for i < len(s) && (isLower(s[i]) || isUpper(s[i]) || i > 0 && isDigit(s[i])) {
		i++
	}
	if i == 0 || len(s) < i+3 || s[i] != '.' || s[i+1] != 'v' || s[i+2] < '1' || s[i+2] > '9' {
		return false
	}
	for _, c := range []byte(s[i+3:]) {
		if !isDigit(c) {
			return false
		}
	}
	return true
}

func isLower(c byte) bool { return c >= 'a' && c <= 'z' }
func isUpper(c byte) bool { return c >= 'A' && c <= 'Z' }
func isDigit(c byte) bool { return c >= '0' && c <= '9' }
