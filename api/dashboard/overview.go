package dashboard

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/api/dashboard/ui"
)

const (
	attentionRead  = 50 // sagas that need a person, those that were started first, of which the ones that wait longest are shown
	attentionShown = 6
	residueShown   = 5
	slowestShown   = 8
)

// overviewView is what the overview shows.
type overviewView struct {
	page         ui.Page
	now          time.Time
	stats        client.Stats
	samples      []sample
	attention    []client.Saga // that need a person, the oldest first
	more         bool          // there are more of them than were read
	residue      []client.Saga // that ended with something left, the newest first
	participants []client.Participant
	open         int // breakers
}

// overview is the first page: whether anything needs a person, what is going on, and the last hour.
func (d *Dashboard) overview(w http.ResponseWriter, r *http.Request) error {
	v := &overviewView{page: d.page(r, ui.Overview, "Overview"), now: d.now()}
	v.samples = d.series.of(v.page.Shell.Tenant)
	group, ctx := errgroup.WithContext(r.Context())
	group.Go(func() (err error) { v.stats, err = d.backend.Stats(ctx); return err })
	group.Go(func() error { return v.readAttention(ctx, d.backend) })
	group.Go(func() error { return v.readResidue(ctx, d.backend) })
	group.Go(func() error { return v.readParticipants(ctx, d.backend) })
	if err := group.Wait(); err != nil {
		return err
	}
	v.page.Shell.Alarms = v.stats.WithAttention
	d.write(w, r, http.StatusOK, overviewPage(v))
	return nil
}

func (v *overviewView) readAttention(ctx context.Context, b Backend) error {
	list, err := b.Sagas(ctx, client.SagaFilter{Attention: "any", Order: oldest, Limit: attentionRead})
	if err != nil {
		return err
	}
	v.attention, v.more = list.Items, list.NextCursor != ""
	slices.SortStableFunc(v.attention, func(x, y client.Saga) int { return alarmSince(&x).Compare(alarmSince(&y)) })
	return nil
}

func alarmSince(s *client.Saga) time.Time {
	if len(s.Attention) == 0 {
		return s.UpdatedAt
	}
	return slices.MinFunc(s.Attention, func(x, y client.Attention) int { return x.Since.Compare(y.Since) }).Since
}

func (v *overviewView) readResidue(ctx context.Context, b Backend) error {
	list, err := b.Sagas(ctx, client.SagaFilter{Verdict: "residue", Limit: residueShown})
	v.residue = list.Items
	return err
}

func (v *overviewView) readParticipants(ctx context.Context, b Backend) error {
	list, err := b.Participants(ctx)
	if err != nil {
		return err
	}
	v.participants = list.Items
	slices.SortStableFunc(v.participants, func(x, y client.Participant) int { return cmp.Compare(trouble(&y), trouble(&x)) })
	for i := range v.participants {
		if h := v.participants[i].Hold; h != nil && h.Kind == client.HoldBreaker {
			v.open++
		}
	}
	v.participants = v.participants[:min(len(v.participants), slowestShown)]
	return nil
}

// trouble orders participants: those that are stopped first, then those that fail, then those with the most work before them.
func trouble(p *client.Participant) float64 {
	n := float64(p.Stuck)*1e6 + float64(p.BackingOff)*1e3
	if p.Hold != nil {
		n += 1e12
	}
	if p.ErrorRate != nil {
		n += *p.ErrorRate * 1e9
	}
	if p.Lag != nil {
		n += float64(*p.Lag)
	}
	return n
}

// calm reports whether nothing needs a person.
func (v *overviewView) calm() bool {
	return v.stats.WithAttention == 0 && v.stats.Quarantined == 0 && v.open == 0
}

// rates are what happened in each minute of the last hour, by this replica.
func (v *overviewView) rates() []line {
	per := func(of func(Tally) int64) []point {
		var out []point
		const step = int(time.Minute / sampleEvery)
		for i := step; i < len(v.samples); i++ {
			from, to := &v.samples[i-step], &v.samples[i]
			minutes := to.at.Sub(from.at).Minutes()
			if minutes <= 0 {
				continue
			}
			out = append(out, point{to.at, float64(max(0, of(to.tally)-of(from.tally))) / minutes})
		}
		return out
	}
	return []line{
		{"started", ui.Going, per(func(t Tally) int64 { return t.Started })},
		{"completed", ui.Good, per(func(t Tally) int64 { return t.Completed })},
		{"compensated", ui.Back, per(func(t Tally) int64 { return t.Compensated })},
	}
}

// live is how many sagas of each status there were over the last hour.
func (v *overviewView) live() []line {
	of := func(status string) []point {
		out := make([]point, len(v.samples))
		for i := range v.samples {
			out[i] = point{v.samples[i].at, float64(v.samples[i].stats.ByStatus[status])}
		}
		return out
	}
	return []line{{"running", ui.Going, of("running")}, {"going back", ui.Back, of("compensating")}, {"suspended", ui.Bad, of("suspended")}}
}

// hour is what this replica has done over the samples that there are.
func (v *overviewView) hour() (Tally, time.Duration) {
	if len(v.samples) < 2 {
		return Tally{}, 0
	}
	a, b := v.samples[0], v.samples[len(v.samples)-1]
	return Tally{
		Started: b.tally.Started - a.tally.Started, Completed: b.tally.Completed - a.tally.Completed,
		Compensated: b.tally.Compensated - a.tally.Compensated, Abandoned: b.tally.Abandoned - a.tally.Abandoned,
		Residue: b.tally.Residue - a.tally.Residue,
	}, b.at.Sub(a.at)
}

// share is one bar of a breakdown.
type share struct {
	mark  ui.Mark
	n     int64
	pairs []string // of the list's query
}

func (v *overviewView) byStatus() []share {
	var out []share
	for _, s := range []string{"running", "compensating", "suspended"} {
		out = append(out, share{ui.StatusMark(s), v.stats.ByStatus[s], []string{"status", s}})
	}
	return out
}

func (v *overviewView) byCause() []share {
	var out []share
	for _, c := range causes() {
		out = append(out, share{ui.CauseMark(c), v.stats.ByCause[c], []string{"blocked_on", c}})
	}
	return out
}
