package main

import (
	"fmt"
	"strings"

	"github.com/skaldhq/skald/participants/conformance"
)

// verdictText is a verdict as people read it.
func verdictText(v conformance.Verdict) string {
	switch v {
	case conformance.Pass:
		return "pass"
	case conformance.Fail:
		return "FAIL"
	case conformance.Untried:
	}
	return "not tried"
}

func (s style) verdict(text string) string {
	switch text {
	case "pass":
		return s.good(text)
	case "FAIL":
		return s.bad(text)
	}
	return s.dim(text)
}

// conformanceProgress says on a terminal how each check ended, while others go on.
func conformanceProgress(term *console) func(conformance.Finding) {
	if term.json || !isTerminal(term.err) {
		return nil
	}
	return func(f conformance.Finding) {
		fmt.Fprintf(term.err, "%s %s\n", term.style.verdict(pad(verdictText(f.Verdict), 9)), f.Check)
	}
}

// conformanceResult is what -o json prints.
type conformanceResult struct {
	conformance.Report
	Passed  int `json:"passed"`
	Failed  int `json:"failed"`
	Untried int `json:"untried"`
}

// printReport prints the table, and beneath it in full what failed and what was not tried. It fails where a check has.
func printReport(term *console, report *conformance.Report) error {
	passed, failed, untried := report.Count(conformance.Pass), report.Count(conformance.Fail), report.Count(conformance.Untried)
	var err error
	if failed > 0 {
		err = errSilent{exitFailed}
	}
	if term.json {
		if werr := writeJSON(term.out, conformanceResult{*report, passed, failed, untried}); werr != nil {
			return werr
		}
		return err
	}
	saw := 200
	if isTerminal(term.out) {
		saw = 56
	}
	rows := [][]string{{"CHECK", "SECTION", "THE PROTOCOL SAYS", "SEEN", "VERDICT"}}
	for _, f := range report.Findings {
		rows = append(rows, []string{f.Check, f.Section, f.Says, clip(f.Saw, saw), verdictText(f.Verdict)})
	}
	table(term.out, term.style, rows, func(column int, _ string) func(string) string {
		if column == len(rows[0])-1 {
			return term.style.verdict
		}
		return nil
	})
	explainFindings(term, report)
	fmt.Fprintf(term.out, "\n%s: %d passed, %d failed, %d not tried\n", report.Participant, passed, failed, untried)
	return err
}

func explainFindings(term *console, report *conformance.Report) {
	var reasons []string
	untried := map[string][]string{}
	for _, f := range report.Findings {
		switch f.Verdict {
		case conformance.Fail:
			fmt.Fprintf(term.out, "\n%s %s\n  says: %s (docs/protocol.md, %s)\n  saw:  %s\n", term.style.bad("FAIL"), term.style.bold(f.Check), f.Says, f.Section, plain(f.Saw))
		case conformance.Untried:
			if untried[f.Saw] == nil {
				reasons = append(reasons, f.Saw)
			}
			untried[f.Saw] = append(untried[f.Saw], f.Check)
		case conformance.Pass:
		}
	}
	for _, why := range reasons {
		fmt.Fprintf(term.out, "\n%s %s\n  %s\n", term.style.dim("not tried"), strings.Join(untried[why], ", "), plain(why))
	}
}

// listChecks prints what would be played.
func listChecks(term *console) error {
	checks := conformance.Checks()
	if term.json {
		return writeJSON(term.out, checks)
	}
	rows := [][]string{{"CHECK", "SECTION", "THE PROTOCOL SAYS"}}
	for _, c := range checks {
		rows = append(rows, []string{c.Name, c.Section, c.Says})
	}
	table(term.out, term.style, rows, nil)
	return nil
}
