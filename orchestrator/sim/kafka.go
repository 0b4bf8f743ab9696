package sim

import (
	"time"

	engine "github.com/skaldhq/skald/orchestrator/kafka"
	"github.com/skaldhq/skald/participants/wire"
)

// partitions is how many each topic has.
const partitions = 3

// kafka is the broker: topics that are appended to, and the group of replicas that reads the replies. It delivers commands to
// the participants as they are appended.
type kafka struct {
	w        *world
	ring     *wire.Keyring
	codec    *engine.Codec
	topics   map[string]*topicLog
	replies  *topicLog
	group    *group
	brokers  map[*replica]*replicaBroker
	oracle   *brokerOracle
	away     time.Time // until then it answers nobody
	tooLarge map[commandName]bool
	calm     bool
}

// topicLog is a topic: its partitions, each a log.
type topicLog struct {
	name       string
	limit      int // of a record's bytes; 0: none
	partitions [partitions]partitionLog
}

// partitionLog is one partition. Its records before start are gone.
type partitionLog struct {
	start      int64
	entries    []*entry // from start on
	leaderless time.Time
	checked    int64 // below it every record is known to be dealt with (S18)
}

// entry is a record as it stands in a partition.
type entry struct {
	record wire.Record
	// forged says why nobody may apply the record, whatever it looks like: it belongs in quarantine. "": a participant wrote it.
	forged  string
	handed  int  // writes of its saga when it was last handed out
	settled bool // a committed transaction holds it: by a fact, or in quarantine
	dealt   bool // it was marked, and rightly
	read    bool // its participant has dealt with it, and commits its offset
}

func (p *partitionLog) end() int64 { return p.start + int64(len(p.entries)) }

func (p *partitionLog) at(offset int64) *entry { return p.entries[offset-p.start] }

// truncate removes what is before start, as retention does.
func (p *partitionLog) truncate(start int64) {
	p.entries = p.entries[start-p.start:]
	p.start = start
	p.checked = max(p.checked, start)
}

func newKafka(w *world) *kafka {
	ring, err := wire.ParseKeyring("k1:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")
	if err != nil {
		panic(err)
	}
	k := &kafka{
		w: w, ring: ring, codec: engine.NewCodec(wire.Topics{}, "sim", ring),
		topics: map[string]*topicLog{}, brokers: map[*replica]*replicaBroker{}, tooLarge: map[commandName]bool{},
	}
	k.oracle = newBrokerOracle(w)
	k.replies = k.topic(wire.Topics{}.Replies())
	k.group = newGroup(k)
	w.meanwhile(tickEvery, k.tick)
	return k
}

func (k *kafka) topic(name string) *topicLog {
	if k.topics[name] == nil {
		k.topics[name] = &topicLog{name: name}
	}
	return k.topics[name]
}

// append writes a record to its partition, which murmur2 of the key says, as everywhere.
func (k *kafka) append(r wire.Record, forged string) *entry {
	t := k.topic(r.Topic)
	r.Partition = wire.Partition(r.Key, partitions)
	p := &t.partitions[r.Partition]
	r.Offset, r.Timestamp = p.end(), k.w.now
	e := &entry{record: r, forged: forged}
	p.entries = append(p.entries, e)
	return e
}

// reachable is when a partition can be written to and read: now, or later.
func (k *kafka) reachable(topic string, key []byte) time.Time {
	at := k.w.now
	for _, t := range []time.Time{k.away, k.topic(topic).partitions[wire.Partition(key, partitions)].leaderless} {
		if t.After(at) {
			at = t
		}
	}
	return at
}

// reply has a participant append to the reply topic, as soon as that can be reached.
func (k *kafka) reply(r wire.Record) {
	if at := k.reachable(r.Topic, r.Key); at.After(k.w.now) {
		k.w.after(at.Sub(k.w.now)+k.w.latency(), func() { k.reply(r) })
		return
	}
	if k.disturb(r) {
		k.append(r, "")
	}
}

// unread is how many replies nobody has dealt with.
func (k *kafka) unread() int {
	n := 0
	for i := range k.replies.partitions {
		n += int(k.replies.partitions[i].end() - k.group.done(i))
	}
	return n
}
