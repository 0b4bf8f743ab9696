package explore

import (
	"testing"
	"time"
)

func TestTmp(t *testing.T) {
	for _, w := range Worlds() {
		t.Run(w.Name, func(t *testing.T) {
			at := time.Now()
			r, err := Explore(&w)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%s states %d transitions %d instances %d depth %d resting %d outcomes %d rows %d %v", r.World, r.States, r.Transitions, r.Instances, r.Depth, r.Resting, len(r.Outcomes), len(r.Table.Rows()), time.Since(at))
			if r.Violation != "" {
				t.Fatalf("%s\n%s", r.Violation, r.Script)
			}
		})
	}
}
