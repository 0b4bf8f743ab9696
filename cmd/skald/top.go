package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/skaldhq/skald/api/client"
)

// topCmd shows what goes on, redrawn while it is on a terminal.
type topCmd struct {
	remote

	Every time.Duration `default:"2s" help:"Time between two looks."`
	Once  bool          `help:"Print once and end, as where the output is no terminal."`
	Limit int           `short:"n" default:"8" help:"Most participants, and most stuck sagas, that are shown."`
}

// Help is shown under the command's usage.
func (topCmd) Help() string {
	return `Rates are those of the published events, over the last 10 s: sagas of definitions with events: none are not in them. Participants that are held, failing or behind come first.

Examples:

  skald top
  skald top --once
  skald top -o json | jq .stats.by_status`
}

// scene is what one look saw.
type scene struct {
	At           time.Time            `json:"at"`
	Stats        client.Stats         `json:"stats"`
	Participants []client.Participant `json:"participants"` // the worst first
	Stuck        []client.Saga        `json:"stuck"`        // sagas with attention, newest first
	rates        []rate               // none: they were not looked at
}

// rate is how often something happened in a second.
type rate struct {
	what string
	per  float64
}

// Run looks once, or until ctx ends.
func (cmd *topCmd) Run(ctx context.Context, term *console) error {
	if cmd.Every < 100*time.Millisecond || cmd.Limit < 1 {
		return wrongUsage("--every %s, --limit %d: want 100ms and 1 or more", cmd.Every, cmd.Limit)
	}
	c, err := cmd.open()
	if err != nil {
		return err
	}
	if term.json || cmd.Once || !isTerminal(term.out) {
		s, err := cmd.look(ctx, c)
		if err != nil {
			return cmd.explain(err)
		}
		if term.json {
			return writeJSON(term.out, s)
		}
		s.draw(term.out, term.style, cmd.Limit)
		return nil
	}
	return cmd.live(ctx, term, c)
}

// live redraws until ctx ends. A look that fails is said on the last line, and tried again.
func (cmd *topCmd) live(ctx context.Context, term *console, c *client.Client) error {
	if _, err := cmd.look(ctx, c); err != nil {
		return cmd.explain(err)
	}
	ctx, stop := context.WithCancel(ctx)
	var following sync.WaitGroup
	meter := &meter{}
	following.Go(func() { meter.follow(ctx, c) })
	defer func() {
		stop()
		following.Wait()
		fmt.Fprint(term.out, "\x1b[?25h\x1b[?1049l") // the cursor, and the screen as it was
	}()
	fmt.Fprint(term.out, "\x1b[?1049h\x1b[?25l")
	ticker := time.NewTicker(cmd.Every)
	defer ticker.Stop()
	for {
		var page strings.Builder
		s, err := cmd.look(ctx, c)
		if err == nil {
			s.rates = meter.rates(time.Now())
			s.draw(&page, term.style, cmd.Limit)
		} else if ctx.Err() == nil {
			fmt.Fprintf(&page, "%s  %s\n", term.style.bad("no answer"), clip(err.Error(), 150))
		}
		fmt.Fprintf(&page, "\n%s", term.style.dim("every "+cmd.Every.String()+", Ctrl-C ends it"))
		// Line by line over what is there, so that nothing flickers.
		fmt.Fprint(term.out, "\x1b[H"+strings.ReplaceAll(page.String(), "\n", "\x1b[K\n")+"\x1b[K\x1b[J")
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

func (cmd *topCmd) look(ctx context.Context, c *client.Client) (scene, error) {
	s := scene{At: time.Now()}
	var err error
	if s.Stats, err = c.Stats(ctx); err != nil {
		return s, err
	}
	list, err := c.Participants(ctx)
	if err != nil {
		return s, err
	}
	s.Participants = worstFirst(list.Items)
	stuck, err := c.Sagas(ctx, client.SagaFilter{Attention: "any", Limit: min(cmd.Limit, 500)})
	s.Stuck = stuck.Items
	return s, err
}

func worstFirst(list []client.Participant) []client.Participant {
	slices.SortStableFunc(list, func(a, b client.Participant) int { return slices.Compare(badness(&b), badness(&a)) })
	return list
}

// badness orders participants: those held first, then by those that wait for a person, by failures, by lag, by what is under way.
func badness(p *client.Participant) []float64 {
	held, failing, lag := 0.0, 0.0, 0.0
	if p.Hold != nil {
		held = 1
	}
	if p.ErrorRate != nil {
		failing = *p.ErrorRate
	}
	if p.Lag != nil {
		lag = float64(*p.Lag)
	}
	return []float64{held, float64(p.Stuck), failing, lag, float64(p.BackingOff), float64(p.InFlight)}
}

func (s *scene) draw(w io.Writer, st style, most int) {
	fmt.Fprintf(w, "%s  %s live, %s with attention, %s in quarantine\n", st.bold("skald top "+s.At.Format(time.TimeOnly)),
		strconv.FormatInt(s.Stats.Live, 10), paintCount(st, s.Stats.WithAttention), paintCount(st, s.Stats.Quarantined))
	var rates []string
	for _, r := range s.rates {
		rates = append(rates, fmt.Sprintf("%s %.1f/s", r.what, r.per))
	}
	if len(rates) > 0 {
		fmt.Fprintln(w, strings.Join(rates, "   "))
	}
	counts := func(title string, of map[string]int64) {
		var parts []string
		for _, name := range slices.SortedFunc(maps.Keys(of), func(a, b string) int { return cmp.Or(cmp.Compare(of[b], of[a]), cmp.Compare(a, b)) }) {
			if of[name] > 0 && len(parts) < most {
				parts = append(parts, fmt.Sprintf("%s %d", plain(name), of[name]))
			}
		}
		if len(parts) > 0 {
			fmt.Fprintf(w, "%s %s\n", st.dim(pad(title, 14)), strings.Join(parts, "   "))
		}
	}
	counts("status", s.Stats.ByStatus)
	counts("waits for", s.Stats.ByCause)
	counts("definition", s.Stats.ByDefinition)
	if len(s.Participants) > 0 {
		rows := [][]string{{"participant", "in flight", "backing off", "held", "stuck", "lag", "errors", "hold"}}
		for i := range s.Participants[:min(most, len(s.Participants))] {
			rows = append(rows, participantRow(&s.Participants[i]))
		}
		fmt.Fprintln(w)
		table(w, st, rows, func(column int, cell string) func(string) string {
			if column == 4 && strings.TrimSpace(cell) != "0" || column == 7 {
				return st.warn
			}
			return nil
		})
	}
	if len(s.Stuck) > 0 {
		rows := [][]string{{"a person is asked for", "saga", "key", "status", "since", "about"}}
		for i := range s.Stuck[:min(most, len(s.Stuck))] {
			rows = append(rows, stuckRow(&s.Stuck[i], s.At))
		}
		fmt.Fprintln(w)
		table(w, st, rows, func(column int, cell string) func(string) string {
			if column == 3 {
				return statusPaint(st, client.Status(cell))
			}
			return nil
		})
	}
}

func paintCount(st style, n int64) string {
	text := strconv.FormatInt(n, 10)
	if n > 0 {
		return st.warn(text)
	}
	return text
}

func participantRow(p *client.Participant) []string {
	lag, errors, hold := "-", "-", ""
	if p.Lag != nil {
		lag = strconv.FormatInt(*p.Lag, 10)
	}
	if p.ErrorRate != nil {
		errors = fmt.Sprintf("%.0f %% of %d", 100**p.ErrorRate, p.Answers)
	}
	if p.Hold != nil {
		hold = clip(p.Hold.Reason, 60)
	}
	number := func(n int64) string { return strconv.FormatInt(n, 10) }
	return []string{p.Name, number(p.InFlight), number(p.BackingOff), number(p.Held), number(p.Stuck), lag, errors, hold}
}

func stuckRow(sg *client.Saga, now time.Time) []string {
	since, about := "", ""
	if len(sg.Attention) > 0 {
		at := sg.Attention[0]
		since, about = took(now.Sub(at.Since))+" ago", words(at.Reason)+of(at.Step)
	}
	return []string{sg.ID, fmt.Sprintf("%s@%d", sg.Saga, sg.Version), clip(sg.Key, 32), string(sg.Status), since, about}
}
