package explore

import (
	"os"
	"testing"
	"time"
)

func TestTmp(t *testing.T) {
	table := newTable()
	for _, w := range Worlds() {
		w.Budget = w.Small
		t.Run(w.Name, func(t *testing.T) {
			at := time.Now()
			r, err := Explore(&w)
			if err != nil {
				t.Fatal(err)
			}
			table.Merge(r.Table)
			t.Logf("%s states %d transitions %d instances %d depth %d resting %d outcomes %d rows %d %v", r.World, r.States, r.Transitions, r.Instances, r.Depth, r.Resting, len(r.Outcomes), len(r.Table.Rows()), time.Since(at))
			if r.Violation != "" {
				t.Fatalf("%s\n%s", r.Violation, r.Script)
			}
		})
	}
	golden, _ := os.ReadFile("../../saga/testdata/table.golden")
	missing, n := table.Missing(string(golden))
	t.Log(len(table.Rows()), "rows; golden", n, "missing", len(missing))
	for _, m := range missing {
		t.Log(m)
	}
}

func TestTmp2(t *testing.T) {
	for _, w := range Worlds() {
		if w.Name != "refused-probed" {
			continue
		}
		w.Budget = w.Small
		r, _ := Explore(&w)
		for _, o := range r.Table.Rows() {
			if o[:9] == "stuck non" || o[:9] == "skipped n" {
				t.Log(o)
			}
		}
		for _, o := range r.Outcomes {
			t.Log(o)
		}
	}
}
