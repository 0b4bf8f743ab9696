package saga

// ReplyVerdict says what became of an answer.
type ReplyVerdict string

// The verdicts on answers. One to a command that was never sent is in no history: its record is in quarantine, reason not_asked.
const (
	ReplyApplied   ReplyVerdict = "applied"   // it moved its step
	ReplyDuplicate ReplyVerdict = "duplicate" // the same answer had come before
	ReplyStale     ReplyVerdict = "stale"     // to an attempt or an edition that is not the newest any more
	ReplyLate      ReplyVerdict = "late"      // it came when the step had moved on: noted, and at most an effect changed
	ReplyContrary  ReplyVerdict = "conflict"  // it contradicts an earlier answer, or an operator
)

// whySame is the reason of an ignored answer that had come before; it tells duplicates from stale answers.
const whySame = "The same answer again."

// Verdict is what became of the answer that the fact is about; empty: it is about none.
func (f *Fact) Verdict() ReplyVerdict {
	if f.Reply == nil {
		return ""
	}
	switch f.Type {
	case ReplyConflict:
		return ReplyContrary
	case ReplyRecorded, EffectChanged:
		return ReplyLate
	case ReplyIgnored:
		if f.Why == whySame {
			return ReplyDuplicate
		}
		return ReplyStale
	default:
		return ReplyApplied
	}
}
