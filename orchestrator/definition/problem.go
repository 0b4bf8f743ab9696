package definition

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// maxProblems bounds how many problems are reported of one definition.
const maxProblems = 200

// Problem is one thing wrong with a definition.
type Problem struct {
	File    string
	Line    int    // from 1
	Column  int    // from 1, in characters
	Path    string // such as steps[2].timeout; empty: the document as a whole
	Message string
}

func (p Problem) String() string {
	if p.Path == "" {
		return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.Message)
	}
	return fmt.Sprintf("%s:%d:%d: %s: %s", p.File, p.Line, p.Column, p.Path, p.Message)
}

// Problems is the error of a definition that cannot be read: everything that is wrong with it, by position.
type Problems struct {
	List  []Problem
	lines []string
}

// Error lists the problems, one a line: file:line:column: path: message.
func (p *Problems) Error() string {
	lines := make([]string, len(p.List))
	for i, problem := range p.List {
		lines[i] = problem.String()
	}
	return strings.Join(lines, "\n")
}

// Snippets lists the problems, each followed by its line of the source and a mark under its column.
func (p *Problems) Snippets() string {
	var out strings.Builder
	for _, problem := range p.List {
		out.WriteString(problem.String())
		out.WriteByte('\n')
		if snippet := p.Snippet(problem); snippet != "" {
			out.WriteString(snippet)
		}
	}
	return out.String()
}

// Snippet shows the problem's line of the source with a mark under its column; empty if there is no such line.
func (p *Problems) Snippet(problem Problem) string {
	if problem.Line < 1 || problem.Line > len(p.lines) {
		return ""
	}
	const width = 120
	line := []rune(strings.ReplaceAll(p.lines[problem.Line-1], "\t", " "))
	column := min(max(problem.Column-1, 0), len(line))
	start := max(0, column-width+20)
	shown := line[start:min(len(line), start+width)]
	return fmt.Sprintf("%5d | %s\n      | %s^\n", problem.Line, string(shown), strings.Repeat(" ", column-start))
}

// position is a place in the source; line and column from 1, columns in characters.
type position struct{ line, column int }

// collector gathers the problems of one source.
type collector struct {
	file     string
	src      []byte
	problems []Problem
	bad      map[string]bool // paths that have a problem
	runes    [][]rune        // the source by lines; nil until literalAt needs it
}

func newCollector(file string, src []byte) *collector {
	return &collector{file: file, src: src, bad: map[string]bool{}}
}

func (c *collector) add(at position, path, format string, args ...any) {
	c.bad[path] = true
	c.problems = append(c.problems, Problem{c.file, max(at.line, 1), max(at.column, 1), path, fmt.Sprintf(format, args...)})
}

// isBad reports whether the path, or one that holds it, has a problem already.
func (c *collector) isBad(path string) bool {
	for p := path; p != ""; p = parentPath(p) {
		if c.bad[p] {
			return true
		}
	}
	return false
}

func parentPath(path string) string {
	return path[:max(strings.LastIndexByte(path, '.'), strings.LastIndexByte(path, '['), 0)]
}

// err answers all problems, by position; nil when there is none.
func (c *collector) err() error {
	if len(c.problems) == 0 {
		return nil
	}
	slices.SortStableFunc(c.problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Path, b.Path),
			cmp.Compare(a.Message, b.Message))
	})
	list := slices.Compact(c.problems)
	if more := len(list) - maxProblems; more > 0 {
		last := list[maxProblems]
		last.Path, last.Message = "", fmt.Sprintf("%d more problems are not shown", more)
		list = append(slices.Clip(list[:maxProblems]), last)
	}
	return &Problems{List: list, lines: sourceLines(c.src)}
}

func sourceLines(src []byte) []string {
	text := strings.ToValidUTF8(string(src), "\uFFFD")
	return strings.Split(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text), "\n")
}
