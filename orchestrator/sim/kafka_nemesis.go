package sim

import "time"

// tickEvery is how often the broker's own faults are drawn.
const tickEvery = 2 * time.Second

// tick draws what happens to the broker as a whole, again and again until the world is calm.
func (k *kafka) tick() {
	if k.calm || k.w.nemesis.calm {
		return
	}
	w := k.w
	between := func(f Fault, least, most time.Duration) time.Duration {
		d := least + time.Duration(w.nemesis.size(f)*w.nemesis.size(f)*float64(most-least)) // mostly short, with a tail
		w.hinder(d)
		return d
	}
	pick := func(f Fault) int { return int(w.nemesis.size(f)*1000) % partitions }
	if w.hits(FaultBrokerAway) {
		k.away = w.now.Add(between(FaultBrokerAway, time.Second, 2*time.Minute))
	}
	if w.hits(FaultLeaderChange) {
		k.changeLeader(int(w.nemesis.size(FaultLeaderChange)*1000), w.now.Add(between(FaultLeaderChange, 100*time.Millisecond, 15*time.Second)))
	}
	if w.hits(FaultMemberCutOff) && len(k.group.members) > 0 {
		m := k.group.members[int(w.nemesis.size(FaultMemberCutOff)*1000)%len(k.group.members)]
		k.group.cutOff(m, between(FaultMemberCutOff, 2*time.Second, 40*time.Second))
	}
	if w.hits(FaultRebalanceStorm) {
		k.storm(3 + int(w.nemesis.size(FaultRebalanceStorm)*12))
	}
	if w.hits(FaultOffsetsLost) {
		for i := range k.group.offsets { // one partition's, or the whole group's
			if one := pick(FaultOffsetsLost); w.nemesis.size(FaultOffsetsLost) < 0.5 || i == one {
				k.group.offsets[i] = -1
			}
		}
		k.group.prepare() // as it is when a group is deleted, or comes back after all its members were away
		k.group.complete()
	}
	if w.hits(FaultTruncated) {
		p := &k.replies.partitions[pick(FaultTruncated)]
		p.truncate(p.start + int64(w.nemesis.size(FaultTruncated)*float64(len(p.entries)+1)))
	}
	if w.hits(FaultTopicAnew) {
		k.recreate(w.now.Add(between(FaultTopicAnew, time.Second, 20*time.Second)))
	}
	w.meanwhile(tickEvery, k.tick)
}

// recreate deletes the reply topic and makes it anew: the broker forgets the group's offsets of it, and sessions end without a last
// commit.
func (k *kafka) recreate(at time.Time) {
	k.replies.partitions = [partitions]partitionLog{}
	for i := range partitions {
		k.replies.partitions[i].leaderless = at
		k.group.offsets[i] = -1
	}
	for _, r := range k.w.replicas {
		if m := k.group.of[r]; m != nil && m.session != nil {
			m.session.revoked, m.session.ended = true, true
			m.session = nil
			k.group.rejoin(m)
		}
	}
}

// changeLeader leaves one partition of every topic, or all of one topic, without a leader for a while.
func (k *kafka) changeLeader(which int, until time.Time) {
	for _, name := range k.names() {
		k.topics[name].partitions[which%partitions].leaderless = until
	}
}

// storm has a stranger join and leave the group, over and over.
func (k *kafka) storm(times int) {
	if times == 0 || k.calm {
		return
	}
	k.group.prepare()
	k.group.complete()
	k.w.hinder(2 * time.Second)
	k.w.meanwhile(2*time.Second, func() { k.storm(times - 1) })
}

// heal ends all that is wrong: from now on everything can be reached, and no record is too large.
func (k *kafka) heal() {
	k.calm = true
	k.away = time.Time{}
	for _, t := range k.topics {
		for i := range t.partitions {
			t.partitions[i].leaderless = time.Time{}
		}
	}
	clear(k.tooLarge)
	for _, r := range k.w.replicas {
		if m := k.group.of[r]; m != nil && m.cut.After(k.w.now) {
			m.cut = k.w.now
			k.group.notice(m)
		}
	}
}
