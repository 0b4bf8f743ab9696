package sagapage

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/a-h/templ"
	"github.com/stretchr/testify/require"

	"github.com/skaldhq/skald/api/dashboard/ui"
)

var (
	rewrite = flag.Bool("rewrite", false, "write the pages that are rendered now into testdata")
	pages   = flag.String("pages", "", "a folder to write whole pages to, for looking at them in a browser")
)

func render(t *testing.T, c templ.Component) string {
	t.Helper()
	var buf bytes.Buffer
	require.NoError(t, c.Render(t.Context(), &buf))
	return buf.String()
}

// lines puts each element on a line of its own, so that a difference can be read.
func lines(html string) string {
	return strings.NewReplacer("><", ">\n<", "\u202f", "&#8239;").Replace(html) + "\n"
}

// TestPages holds each state to what tells it, and one to the whole page.
func TestPages(t *testing.T) {
	t.Parallel()
	for name, s := range states() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := see(&s.Look, nil, s.Now)
			got := lines(render(t, sagaBody(&v)))
			if name == "undo-failed" {
				golden(t, name+"-whole", got)
			}
			golden(t, name, lines(render(t, leadPanel(&v))+render(t, picture(&v.Path.Wide))+render(t, picture(&v.Path.Tall))+render(t, gantt(&v.Gantt))+render(t, certificate(&v.Cert))))
			require.NotContains(t, got, " style=", "the content policy refuses it")
			require.NotContains(t, got, "<script", "the content policy refuses it")
			require.NotContains(t, got, "onerror=alert(1)>", "what a saga carries is text")
			require.NotContains(t, got, "\u202e", "what turns the direction is written out")
			if *pages != "" {
				writePage(t, name, sagaPage(frame(v.Title), &v, "/sagas/x"))
			}
		})
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name+".golden.html")
	if *rewrite {
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err, "run with -rewrite once, and look at the difference")
	require.Equal(t, string(want), got)
}

func frame(title string) ui.Page {
	return ui.Page{
		Title: title, Section: ui.Sagas, Styles: []string{"sagapage.css"}, Scripts: []string{"sagapage.js"},
		Shell: &ui.Shell{Asset: func(name string) string { return "assets/" + name }, Version: "test", Name: "ann", Tenant: "default"},
	}
}

func writePage(t *testing.T, name string, page templ.Component) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(*pages, name+".html"), []byte(render(t, page)), 0o644))
}
