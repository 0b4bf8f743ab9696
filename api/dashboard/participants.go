package dashboard

import (
	"fmt"
	"net/http"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/api/dashboard/ui"
)

// participants lists the participants and how they do.
func (d *Dashboard) participants(w http.ResponseWriter, r *http.Request) error {
	list, err := d.backend.Participants(r.Context())
	if err != nil {
		return err
	}
	d.write(w, r, http.StatusOK, participantsPage(d.page(r, ui.Participants, "Participants"), list.Items, d.may(r, permitOperate)))
	return nil
}

// breakerMark is whether commands go to a participant.
func breakerMark(h *client.Hold) ui.Mark {
	switch {
	case h == nil:
		return ui.Mark{Icon: "check", Word: "open to commands", Tone: ui.Idle}
	case h.State == client.HoldTrying:
		return ui.Mark{Icon: "clock", Word: "breaker tries", Tone: ui.Wait, Hint: "a growing share of sagas is let through"}
	case h.State == client.HoldReleasing:
		return ui.Mark{Icon: "clock", Word: "letting go", Tone: ui.Wait, Hint: "the hold has ended with a rate"}
	case h.Kind == client.HoldBreaker:
		return ui.Mark{Icon: "pause", Word: "breaker open", Tone: ui.Bad, Hint: "it fails, so the engine sends it nothing for a while"}
	}
	return ui.Mark{Icon: "pause", Word: "held", Tone: ui.Wait, Hint: h.Reason}
}

func errorRate(p *client.Participant) string {
	if p.ErrorRate == nil {
		return "–"
	}
	return fmt.Sprintf("%.1f %%", 100**p.ErrorRate)
}

func errorTone(p *client.Participant) string {
	if p.ErrorRate != nil && *p.ErrorRate >= 0.05 {
		return "bad"
	}
	return ""
}

func known[T int | int64](n *T) string {
	if n == nil {
		return "–"
	}
	return ui.Number(int64(*n))
}
