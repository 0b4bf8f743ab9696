package explore

import "testing"

func TestTmp(t *testing.T) {
	for _, w := range Worlds() {
		
		r, err := Explore(&w)
		if err != nil { t.Fatal(err) }
		t.Logf("%s states %d transitions %d instances %d depth %d resting %d outcomes %d rows %d", r.World, r.States, r.Transitions, r.Instances, r.Depth, r.Resting, len(r.Outcomes), len(r.Table.Rows()))
		for _, o := range r.Outcomes { t.Log(o) }
		if r.Violation != "" { t.Fatalf("%s\n%s", r.Violation, r.Script) }
	}
}
