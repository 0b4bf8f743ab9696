package main

import (
	"bufio"
	"fmt"
	"strings"
)

// ask puts a question before something that cannot be taken back. Where nobody sits at a terminal it is an error to need an
// answer: retry is the command that goes without.
func ask(term *console, question, retry string) (bool, error) {
	unanswered := hint(wrongUsage("%s nobody is here to answer", question), retry)
	if !isTerminal(term.in) {
		return false, unanswered
	}
	fmt.Fprintf(term.err, "%s [y/N] ", question)
	line, err := bufio.NewReader(term.in).ReadString('\n')
	if err != nil && line == "" {
		fmt.Fprintln(term.err)
		return false, unanswered // the input ended, as that of /dev/null does
	}
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "y", "yes":
		return true, nil
	}
	return false, nil
}
