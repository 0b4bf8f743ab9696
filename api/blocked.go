package api

import (
	"context"
	"time"

	"github.com/skaldhq/skald/api/client"
	"github.com/skaldhq/skald/orchestrator/saga"
)

// groupPatience is how long the answer about one saga waits for a look at a participant's group; lists do not wait.
const groupPatience = 300 * time.Millisecond

// renderBlocked is one thing that a saga waits for as clients see it, but for what the participant's group tells.
func renderBlocked(b *saga.BlockedOn) client.BlockedOn {
	out := client.BlockedOn{
		Cause: string(b.Cause), Step: b.Step, Participant: b.Participant, Verb: string(b.Verb), Attempt: b.Attempt,
		Reason: string(b.Reason), Message: b.Message, Since: b.Since, Until: moment(b.Until), Command: b.Command, Edition: b.Edition,
		HeartbeatAt: moment(b.Heartbeat), Queued: b.Queued, Held: b.What, By: b.By, Limited: b.Limit,
	}
	if b.Command != "" {
		out.SentAt = moment(b.Since)
	}
	if !b.AckedAt.IsZero() {
		out.Record = &client.Coordinates{Partition: b.Partition, Offset: b.Offset, At: moment(b.AckedAt)}
	}
	return out
}

// lookAtGroups looks, for patience in all, at the groups of the participants whose answers a saga waits for: whether an attempt is queued
// follows from how they are now.
func (a *API) lookAtGroups(ctx context.Context, def *saga.Definition, in *saga.Instance, patience time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for i := range in.Steps {
		if s := in.Steps[i].Status; s == saga.InFlight || s == saga.Undoing {
			a.cfg.Engine.Group(ctx, def.Steps[i].Participant, patience)
		}
	}
}

// addGroups names the topics, and says how far the participants' groups are behind, where that is known.
func (a *API) addGroups(ctx context.Context, list []client.BlockedOn) {
	for i := range list {
		b := &list[i]
		if b.Record == nil {
			continue
		}
		if a.cfg.CommandTopic != nil {
			b.Record.Topic = a.cfg.CommandTopic(b.Participant)
		}
		group, known := a.cfg.Engine.Group(ctx, b.Participant, 0)
		if !known {
			continue
		}
		b.Consumers = &group.Members
		if lag, ok := group.Behind(b.Record.Partition, b.Record.Offset); ok {
			b.Lag = &lag
		}
	}
}
