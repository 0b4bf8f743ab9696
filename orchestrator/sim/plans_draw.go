package sim

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
)

// payloadKind is how a plan forms a payload.
type payloadKind int

const (
	payloadDefault payloadKind = iota // none of its own
	payloadOdd                        // ${input.odd}, byte for byte
	payloadObject                     // an object that holds it
	payloadText                       // a text that cannot be formed where input.text is null
	payloadOutput                     // from an output
)

type object = map[string]any

// planDraw draws one definition.
type planDraw struct {
	*rand.Rand
	steps []object
	leaf  []bool // no later step waits for it
	kinds []payloadKind
	undos []payloadKind
}

func (d *planDraw) oneIn(n int) bool { return d.IntN(n) == 0 }

// drawPlan draws the n-th definition of the pool: a DAG of steps that can be undone, perhaps a pivot behind all of them, and
// retriable steps behind that. The pivot may be anywhere, the first and the last step included.
func drawPlan(n, version int) *plan {
	d := &planDraw{Rand: rand.New(rand.NewPCG(uint64(n), uint64(version)))}
	before, after := d.IntN(5), 0
	pivot := before == 0 || d.IntN(3) > 0
	if pivot {
		after = d.IntN(min(3, 6-before))
	}
	ordered := d.oneIn(3) // without any `after` they run as listed
	for i := range before {
		s := d.step(i)
		if !d.oneIn(8) {
			s["compensation"] = d.compensation(i, s)
		} else {
			s["effect"] = "none"
			if d.oneIn(3) {
				s["compensation"] = d.compensation(i, s)
			}
		}
		d.add(s, func(p int) bool { return d.oneIn(3) })
	}
	if pivot {
		s := d.step(before)
		s["kind"] = "pivot"
		if d.oneIn(3) {
			s["compensation"] = d.compensation(before, s)
		}
		if d.oneIn(10) {
			s["effect"] = "none"
		}
		d.add(s, func(p int) bool { return d.leaf[p] })
	}
	for range after {
		i := len(d.steps)
		s := d.step(i)
		s["kind"] = "retriable"
		if d.oneIn(8) {
			s["effect"] = "none"
		}
		d.add(s, func(p int) bool { return p == before || p > before && d.oneIn(2) })
	}
	if ordered {
		for _, s := range d.steps {
			delete(s, "after")
		}
	}
	top := object{"saga": fmt.Sprintf("plan-%02d", n), "version": version, "steps": d.steps}
	d.top(top)
	src, err := json.Marshal(top)
	if err != nil {
		panic(err)
	}
	return compilePlan(src, d.kinds, d.undos)
}

func (d *planDraw) top(top object) {
	if d.oneIn(2) {
		top["key"] = "input.id"
	}
	if d.oneIn(3) {
		top["deadline"] = fmt.Sprintf("%ds", 5+d.IntN(60))
	}
	switch d.IntN(8) {
	case 0, 1:
		top["output"] = object{"id": "${input.id}"}
	case 2:
		top["output"] = object{"text": "t ${input.text}"}
	}
	top["events"] = []string{"lifecycle", "lifecycle", "all", "none"}[d.IntN(4)]
}

// add appends a step behind those that it picks of the ones before.
func (d *planDraw) add(s object, picks func(p int) bool) {
	var after []string
	for p := range d.steps {
		if picks(p) {
			after = append(after, d.steps[p]["name"].(string))
			d.leaf[p] = false
		}
	}
	if after != nil {
		s["after"] = after
		if i := len(d.steps); d.kinds[i] == payloadDefault && d.oneIn(4) {
			d.kinds[i] = payloadOutput
			s["payload"] = object{"of": "${steps['" + after[0] + "'].output.by}"}
		}
	}
	d.steps, d.leaf = append(d.steps, s), append(d.leaf, true)
}

func (d *planDraw) step(i int) object {
	s := object{"name": fmt.Sprintf("s%d", i), "participant": d.participant(), "command": "Do.v1", "timeout": d.timeout(), "retry": d.retry()}
	if d.oneIn(5) {
		s["command"] = "Call.v1"
	}
	if d.oneIn(4) {
		s["probe"] = "Ask.v1"
	}
	if d.oneIn(3) {
		s["returns"] = object{"type": "object", "required": []string{"by"}}
	}
	if d.oneIn(5) {
		s["when"] = "input.n > 3"
	}
	kind := payloadDefault
	if d.oneIn(2) {
		kind = payloadKind(1 + d.IntN(3))
	}
	switch kind {
	case payloadOdd:
		s["payload"] = "${input.odd}"
	case payloadObject:
		s["payload"] = object{"id": "${input.id}", "odd": "${input.odd}"}
	case payloadText:
		s["payload"] = object{"text": "f ${input.text}"}
	case payloadDefault, payloadOutput:
	}
	d.kinds, d.undos = append(d.kinds, kind), append(d.undos, payloadDefault)
	return s
}

func (d *planDraw) compensation(i int, s object) object {
	command := "Undo.v1"
	if s["command"] == "Call.v1" { // undone where it was done
		command = "UndoCall.v1"
	}
	c := object{"command": command, "timeout": d.timeout(), "retry": d.retry()}
	kind := payloadDefault
	if d.oneIn(2) {
		kind = payloadKind(1 + d.IntN(4))
	}
	switch kind {
	case payloadOdd:
		c["payload"] = "${input.odd}"
	case payloadObject:
		c["payload"] = object{"id": "${input.id}", "odd": "${input.odd}"}
	case payloadText:
		c["payload"] = object{"text": "u ${input.text}"}
	case payloadOutput:
		c["payload"] = object{"of": "${output.by}"}
	case payloadDefault:
	}
	d.undos[i] = kind
	return c
}

func (d *planDraw) participant() string { return participantNames[d.IntN(len(participantNames))] }

func (d *planDraw) timeout() string { return fmt.Sprintf("%dms", 500+100*d.IntN(25)) }

func (d *planDraw) retry() object {
	return object{
		"max_attempts": 1 + d.IntN(4), "initial": fmt.Sprintf("%dms", 50+50*d.IntN(10)), "multiplier": 2,
		"max": fmt.Sprintf("%dms", 1000+1000*d.IntN(5)), "jitter": []float64{0, 0.2}[d.IntN(2)],
	}
}
