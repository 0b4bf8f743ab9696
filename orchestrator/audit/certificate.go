package audit

import (
	"fmt"
	"strings"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// certificate checks what an ended saga says of itself: it is what its steps say, computed anew (design rule 14), and its verdict
// is read once more from the effects, apart from the code that wrote it.
func (c *sagaCheck) certificate() {
	want := saga.Certify(c.def, c.in)
	has := c.in.Certificate
	if want == nil || has == nil {
		if (want == nil) != (has == nil) {
			c.add(CertificateDiffers, "it is %s, and has a certificate: %t", c.in.Status, has != nil)
		}
		return
	}
	want.Amended = has.Amended
	if a, b := certificateText(has), certificateText(want); a != b {
		c.add(CertificateDiffers, "it says %s, and its steps say %s", a, b)
	}
	if wrong := c.verdict(has); wrong != "" {
		c.add(VerdictWrong, "%s: %s", has.Verdict, wrong)
	}
}

// verdict is the second reading of design rule 14.
func (c *sagaCheck) verdict(cert *saga.Certificate) string {
	left := 0
	for i, e := range cert.Effects {
		if i >= len(c.def.Steps) {
			break
		}
		step := &c.def.Steps[i]
		if e.Effect != saga.EffectNone && e.Effect != saga.EffectUndone {
			left++
		}
		open := e.Effect == saga.EffectPossible || e.Effect == saga.EffectCertain
		if c.in.Status == saga.Compensated && open && step.Compensation != nil && !cert.Amended {
			return fmt.Sprintf("%s is %s, can be undone, and was not", e.Step, e.Effect)
		}
		if c.in.Status == saga.Completed && e.Effect == saga.EffectUndone {
			return e.Step + " is undone in a completed saga"
		}
	}
	want := saga.Residue
	switch {
	case c.in.Status == saga.Completed:
		want = saga.Committed
	case left == 0:
		want = saga.CleanlyAborted
	}
	switch {
	case cert.Verdict != want:
		return fmt.Sprintf("the saga is %s and %d effects are left, so it is %s", c.in.Status, left, want)
	case want == saga.CleanlyAborted && len(cert.Residue) > 0, want == saga.Residue && len(cert.Residue) != left:
		return fmt.Sprintf("%d effects are left, and it lists %d", left, len(cert.Residue))
	}
	return ""
}

func certificateText(cert *saga.Certificate) string {
	line := func(list []saga.StepEffect) string {
		var out []string
		for _, e := range list {
			text := e.Step + " " + string(e.Effect)
			if e.ByOperator {
				text += " (by operator)"
			}
			if e.Disputed {
				text += " (disputed)"
			}
			out = append(out, text)
		}
		return strings.Join(out, ", ")
	}
	text := string(cert.Verdict) + " [" + line(cert.Effects) + "]"
	if len(cert.Residue) > 0 {
		text += " residue [" + line(cert.Residue) + "]"
	}
	return text
}
