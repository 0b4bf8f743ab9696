package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/skaldhq/skald/api/story"
)

// style colours text where colours are wanted.
type style struct{ on bool }

// newStyle decides about colours: mode auto has them on a terminal, unless NO_COLOR is set or the terminal is dumb.
func newStyle(mode string, w io.Writer) style {
	switch mode {
	case "always":
		return style{true}
	case "never":
		return style{}
	}
	return style{isTerminal(w) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
}

func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	// /dev/null is a character device too, and nobody looks at it.
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && info.Mode()&os.ModeDevice != 0 && f.Name() != os.DevNull
}

func (s style) paint(code, text string) string {
	if !s.on || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (s style) good(text string) string { return s.paint("32", text) }
func (s style) bad(text string) string  { return s.paint("31", text) }
func (s style) warn(text string) string { return s.paint("33", text) }
func (s style) back(text string) string { return s.paint("35", text) } // of what is undone
func (s style) out(text string) string  { return s.paint("36", text) } // of what is under way
func (s style) dim(text string) string  { return s.paint("2", text) }
func (s style) bold(text string) string { return s.paint("1", text) }

// plain takes everything out of text that could steer a terminal: what sagas carry comes from outside.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == utf8.RuneError || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return ' '
		}
		return r
	}, text)
}

// clip shortens text to n characters.
func clip(text string, n int) string {
	runes := []rune(plain(text))
	if len(runes) <= n {
		return string(runes)
	}
	return string(runes[:n-1]) + "…"
}

// pad fills text up to n characters, before it is coloured.
func pad(text string, n int) string {
	return text + strings.Repeat(" ", max(0, n-utf8.RuneCountInString(text)))
}

func padLeft(text string, n int) string {
	return strings.Repeat(" ", max(0, n-utf8.RuneCountInString(text))) + text
}

// took writes a span as people read it.
func took(d time.Duration) string { return story.Took(d) }

// table writes rows in columns; the first row is the head. Cells may be painted by column after they are padded.
func table(w io.Writer, s style, rows [][]string, paint func(column int, cell string) func(string) string) {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for r, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			text := cell
			if i < len(row)-1 {
				text = pad(cell, widths[i]+2)
			}
			switch {
			case r == 0:
				text = s.dim(text)
			case paint != nil && paint(i, cell) != nil:
				text = paint(i, cell)(text)
			}
			line.WriteString(text)
		}
		fmt.Fprintln(w, strings.TrimRight(line.String(), " "))
	}
}

// writeJSON writes v as JSON for programs, and for people who look over their shoulder.
func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	return nil
}
