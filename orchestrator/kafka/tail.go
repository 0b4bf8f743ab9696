package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/IBM/sarama"
	"golang.org/x/sync/errgroup"

	"github.com/skaldhq/skald/orchestrator"
)

// Tail reads skald.events without a consumer group, so that every replica sees every event. It keeps no connection of its own
// between calls, and is safe for concurrent use.
type Tail struct {
	cfg     Config
	growth  time.Duration // between two looks for new partitions
	trouble time.Duration // a partition that fails for this long ends the reading
}

const (
	tailFetch   = 128 << 10 // of a partition at a time: there may be many readers, most of them of few events
	tailBuffer  = 16        // records of a partition that sarama holds ready
	tailTrouble = 30 * time.Second
	tailCalm    = 15 * time.Second // without an error, a partition counts as well again
	tailGrowth  = time.Minute
)

// NewTail returns a Tail; it needs no more of cfg than Brokers, and nothing is connected before it is used.
func NewTail(cfg Config) (*Tail, error) {
	cfg.setDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("prepare to read events: %w", err)
	}
	return &Tail{cfg: cfg, growth: tailGrowth, trouble: tailTrouble}, nil
}

// Ends answers, per partition, the offset after the newest event. ctx is looked at between requests to the broker; each of
// those takes at most some 10 s.
func (t *Tail) Ends(ctx context.Context) (_ map[int32]int64, err error) {
	topic := t.cfg.Topics.Events()
	client, err := t.connect(ctx)
	if err != nil {
		return nil, fmt.Errorf("look for the end of %s: %w", topic, err)
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	partitions, err := client.Partitions(topic)
	if err != nil {
		return nil, fmt.Errorf("list the partitions of %s: %w", topic, err)
	}
	ends := make(map[int32]int64, len(partitions))
	for _, p := range partitions {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if ends[p], err = client.GetOffset(topic, p, sarama.OffsetNewest); err != nil {
			return nil, fmt.Errorf("look for the end of %s, partition %d: %w", topic, p, err)
		}
	}
	return ends, nil
}

// Tail calls emit for every event from the given offsets on, in order per partition and never concurrently, until ctx ends (it
// then returns ctx's error), emit fails (its error), or the topic cannot be read: a partition that has failed for 30 s, or a
// batch that cannot be unpacked. Shorter outages are ridden out.
//
// Partitions that from does not name, also those added meanwhile, are read from their first event, and so are offsets that the
// partition has not got: emit tells the gap by its offset. A slow emit slows the reading down and loses nothing.
// All that it started has ended when it returns; a request under way may delay that by some 10 s.
func (t *Tail) Tail(ctx context.Context, from map[int32]int64, emit func(partition int32, offset int64, event orchestrator.Record) error) (err error) {
	client, err := t.connect(ctx)
	if err != nil {
		return fmt.Errorf("read %s: %w", t.cfg.Topics.Events(), err)
	}
	defer func() {
		if closed := client.Close(); err == nil {
			err = closed
		}
	}()
	consumer, err := sarama.NewConsumerFromClient(client)
	if err != nil {
		return fmt.Errorf("read %s: %w", t.cfg.Topics.Events(), err)
	}
	reading, stop := context.WithCancel(ctx)
	defer stop()
	group, reading := errgroup.WithContext(reading)
	r := &tailing{tail: t, log: t.cfg.Log, topic: t.cfg.Topics.Events(), client: client, consumer: consumer, out: make(chan *sarama.ConsumerMessage)}
	group.Go(func() error { return r.partitions(reading, group, from) })
	emitted := r.emit(reading, emit)
	stop()
	failed := group.Wait()
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case emitted != nil:
		return emitted
	}
	return failed
}

// connect opens a client of its own for one call.
func (t *Tail) connect(ctx context.Context) (sarama.Client, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	conf := t.cfg.consumer()
	conf.Consumer.Fetch.Default = tailFetch
	conf.ChannelBufferSize = tailBuffer
	return sarama.NewClient(t.cfg.Brokers, conf)
}

// tailing is one call of Tail.
type tailing struct {
	tail     *Tail
	log      *slog.Logger
	topic    string
	client   sarama.Client
	consumer sarama.Consumer
	out      chan *sarama.ConsumerMessage // from all partitions
}

// emit hands on what comes, until ctx ends (nil) or emit fails.
func (r *tailing) emit(ctx context.Context, emit func(int32, int64, orchestrator.Record) error) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case msg := <-r.out:
			if ctx.Err() != nil {
				return nil // both were ready
			}
			if err := emit(msg.Partition, msg.Offset, eventRecord(msg)); err != nil {
				return err
			}
		}
	}
}

func eventRecord(msg *sarama.ConsumerMessage) orchestrator.Record {
	record := orchestrator.Record{
		Kind: orchestrator.RecordEvent, Topic: msg.Topic, Key: msg.Key, Value: msg.Value,
		Headers: make([]orchestrator.Header, len(msg.Headers)),
	}
	for i, h := range msg.Headers {
		record.Headers[i] = orchestrator.Header{Key: string(h.Key), Value: h.Value}
	}
	return record
}

// partitions starts a reader for each partition, also for those that are added later.
func (r *tailing) partitions(ctx context.Context, group *errgroup.Group, from map[int32]int64) error {
	started := map[int32]bool{}
	look := time.NewTicker(r.tail.growth)
	defer look.Stop()
	for {
		list, err := r.client.Partitions(r.topic)
		if err != nil {
			return fmt.Errorf("list the partitions of %s: %w", r.topic, err)
		}
		for _, p := range list {
			if started[p] {
				continue
			}
			started[p] = true
			offset, named := from[p]
			if !named {
				offset = sarama.OffsetOldest
			}
			group.Go(func() error { return r.partition(ctx, p, offset) })
		}
		select {
		case <-ctx.Done():
			return nil
		case <-look.C:
			if err := r.client.RefreshMetadata(r.topic); err != nil {
				r.log.WarnContext(ctx, "Looking for new partitions is tried again", "topic", r.topic, "error", err)
			}
		}
	}
}

// partition reads one partition until ctx ends (nil) or it cannot be read. Where the offset to go on from does not exist any
// more it begins anew at the oldest.
func (r *tailing) partition(ctx context.Context, partition int32, offset int64) error {
	for ctx.Err() == nil {
		from, err := r.consumer.ConsumePartition(r.topic, partition, offset)
		if err == nil {
			err = r.follow(ctx, from)
		}
		switch {
		case err == nil || ctx.Err() != nil:
		case errors.Is(err, sarama.ErrOffsetOutOfRange) && offset != sarama.OffsetOldest:
			r.log.WarnContext(ctx, "Events were asked for that do not exist; reading from the oldest", "topic", r.topic,
				"partition", partition, "offset", offset)
			offset = sarama.OffsetOldest
		case errors.Is(err, sarama.ErrOffsetOutOfRange): // retention was quicker than the reading
		default:
			return fmt.Errorf("read %s, partition %d: %w", r.topic, partition, err)
		}
	}
	return nil
}

// follow hands on what a partition brings until ctx ends, or fails with what ended it.
func (r *tailing) follow(ctx context.Context, from sarama.PartitionConsumer) error {
	defer func() {
		for _, err := range closeErrors(from) {
			r.log.Log(ctx, slog.LevelDebug, "Reading events had failed", "topic", r.topic, "error", err)
		}
	}()
	trouble := trouble{limit: r.tail.trouble}
	for {
		select {
		case <-ctx.Done():
			return nil
		case msg, ok := <-from.Messages():
			if !ok {
				return sarama.ErrOffsetOutOfRange // the only reason for which sarama itself ends a partition
			}
			select {
			case r.out <- msg:
			case <-ctx.Done():
				return nil
			}
		case err, ok := <-from.Errors():
			switch {
			case !ok:
				return sarama.ErrOffsetOutOfRange
			case errors.Is(err.Err, sarama.ErrOffsetOutOfRange), unpackFailed(err.Err), trouble.tooLong(time.Now()):
				return err.Err
			}
			r.log.WarnContext(ctx, "Reading events is tried again", "topic", r.topic, "partition", err.Partition, "error", err.Err)
		}
	}
}

func closeErrors(from sarama.PartitionConsumer) []*sarama.ConsumerError {
	var list sarama.ConsumerErrors
	errors.As(from.Close(), &list)
	return list
}

// trouble is a row of errors without a calm between them.
type trouble struct {
	limit       time.Duration
	since, last time.Time
}

// tooLong notes an error, and reports whether there have been errors for longer than the limit.
func (t *trouble) tooLong(now time.Time) bool {
	if now.Sub(t.last) > tailCalm {
		t.since = now
	}
	t.last = now
	return now.Sub(t.since) > t.limit
}
