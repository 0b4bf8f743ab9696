package audit

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"time"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// finding is a problem of one saga before it is addressed.
type finding struct {
	kind   Kind
	target string
	what   string
}

// sagaCheck looks at one saga. It is pure.
type sagaCheck struct {
	row     *Saga
	def     *saga.Definition
	slice   *Slice
	overdue time.Duration

	in    saga.Instance // as stored
	facts []saga.Fact
	found []finding
}

func (c *sagaCheck) add(kind Kind, format string, args ...any) {
	c.found = append(c.found, finding{kind: kind, what: fmt.Sprintf(format, args...)})
}

// run answers everything that is wrong with the saga. What cannot be read keeps only those checks from being made that need it.
func (c *sagaCheck) run() []finding {
	if !c.read() {
		return c.found
	}
	c.columns()
	c.wake()
	c.key()
	if c.def == nil {
		return c.found // said once, by whoever looked for it
	}
	if c.history() {
		c.commands()
	}
	c.blanked()
	c.certificate()
	return c.found
}

// read decodes the instance and the facts; false: there is nothing to go on with.
func (c *sagaCheck) read() bool {
	in, err := saga.DecodeInstance(c.row.Instance)
	if err != nil {
		c.add(InstanceUnreadable, "the instance cannot be read: %v", err)
		return false
	}
	c.in = in
	if c.def != nil && len(in.Steps) != len(c.def.Steps) {
		c.add(InvariantBroken, "the saga has %d steps, and its definition %d", len(in.Steps), len(c.def.Steps))
		return false
	}
	return true
}

// wake checks the wake time (L2).
func (c *sagaCheck) wake() {
	row := c.row
	switch {
	case row.Status.Terminal() != row.WakeAt.IsZero():
		c.add(WakeWrong, "it is %s, and its wake time is %s", row.Status, timeText(row.WakeAt))
		return
	case row.WakeAt.IsZero():
		return
	case c.slice.At.Sub(row.WakeAt) > c.overdue:
		c.add(Overdue, "it was to be looked at %s ago", c.slice.At.Sub(row.WakeAt).Round(time.Second))
	case row.Status == saga.Suspended && len(c.in.Attention) == 0:
		c.add(NobodyAsked, "it is suspended and asks for nobody's attention")
	}
	if c.def == nil {
		return
	}
	if due, known := c.dueAt(); known && row.WakeAt.After(due.Add(wakeSlack)) {
		c.add(WakeLate, "it is due at %s, and its wake time is %s", timeText(due), timeText(row.WakeAt))
	}
}

// wakeSlack is how much later than now worked out a wake time may be stored: on the grid, by when an acknowledgement was known,
// and by what its wake was when it was stored.
const wakeSlack = time.Minute

// dueAt is when the saga is due, as far as the row tells: nothing is known of one that waits for a hold or for a person, because
// what it waits for may have ended without its row being written.
func (c *sagaCheck) dueAt() (time.Time, bool) {
	if c.in.Pause != nil || c.in.Broken != "" || c.in.Status == saga.Suspended || len(c.row.Causes) == 0 {
		return time.Time{}, false
	}
	for _, cause := range c.row.Causes {
		if cause != string(saga.CauseReply) && cause != string(saga.CauseBackoff) {
			return time.Time{}, false
		}
	}
	return saga.WakeAt(c.def, c.in, saga.Env{At: c.slice.At, Sent: c.sent()}), true
}

// key checks the business key (S2): a live saga has its key, and an ended one's is its own or a later saga's.
func (c *sagaCheck) key() {
	row := c.row
	if row.Key == "" {
		return
	}
	owner := row.Owner
	switch {
	case owner == nil:
		c.add(KeyMissing, "nobody has its business key %q", row.Key)
	case owner.ID == row.ID:
		if sum := sha256.Sum256(c.in.Input); c.in.BlankedAt.IsZero() && !bytes.Equal(owner.Hash, sum[:]) {
			c.add(KeyHash, "what is kept of its input under its business key %q is of another input", row.Key)
		}
	case !row.Status.Terminal():
		c.add(KeyTaken, "it is %s, and its business key %q belongs to %s", row.Status, row.Key, owner.ID)
	case !owner.CreatedAt.IsZero() && owner.CreatedAt.Before(row.CreatedAt.Add(-time.Minute)):
		c.add(KeyRegressed, "its business key %q belongs to %s, which is older", row.Key, owner.ID)
	}
}

// blanked checks that retention left nothing behind. That the rest still folds is checked as of any saga (S4).
func (c *sagaCheck) blanked() {
	if c.in.BlankedAt.IsZero() {
		return
	}
	if !c.in.Status.Terminal() {
		c.add(PayloadLeft, "its payloads were removed, and it is %s", c.in.Status)
	}
	if c.in.Payloads() {
		c.add(PayloadLeft, "its payloads were removed, and the instance still has some")
	}
	for i := range c.facts {
		if f := &c.facts[i]; f.Payloads() {
			c.add(PayloadLeft, "its payloads were removed, and fact %d (%s) still has one", f.Seq, f.Type)
		}
	}
}

func timeText(t time.Time) string {
	if t.IsZero() {
		return "NULL"
	}
	return t.UTC().Format(time.RFC3339)
}
