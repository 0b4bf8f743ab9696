package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/IBM/sarama"
)

// posters is how many starts are on their way at once, at most.
const posters = 128

// warmUp is how long a round runs before it measures, as the floor does.
const warmUp = 3 * time.Second

// driver keeps a number of sagas in flight: each slot starts one, waits until it completed, and starts the next.
type driver struct {
	base    string
	client  *http.Client
	body    []byte
	waiting sync.Map // saga id -> chan time.Time, whoever comes first makes it
	done    atomic.Int64
	failed  atomic.Int64

	mu        sync.Mutex // guards measuring and latency
	measuring bool
	latency   *hdrhistogram.Histogram
}

func drive(ctx context.Context, s settings, base, brokers string, inFlight int) (round, error) {
	conns := min(inFlight, posters)
	d := &driver{
		base: base, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: conns, MaxConnsPerHost: conns}, Timeout: 30 * time.Second},
		body:    []byte(`{"saga":"three-steps","input":{"order_id":"a-1","customer_id":"c-1","amount_cents":4200,"note":"` + strings.Repeat("x", 320) + `"}}`),
		latency: hdrhistogram.New(1, 120_000_000, 3),
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stopTail, err := d.tail(brokers)
	if err != nil {
		return round{}, err
	}
	defer stopTail()
	var slots sync.WaitGroup
	for range inFlight {
		slots.Go(func() {
			for ctx.Err() == nil {
				d.one(ctx)
			}
		})
	}
	settle(ctx, warmUp)
	before, began := d.done.Load(), time.Now()
	d.measure(true)
	settle(ctx, s.measure)
	d.measure(false)
	n, took := d.done.Load()-before, time.Since(began)
	cancel()
	slots.Wait()
	if n == 0 {
		return round{}, fmt.Errorf("no saga completed; %d starts failed", d.failed.Load())
	}
	if failed := d.failed.Load(); failed > 0 {
		fmt.Printf("  %d starts failed\n", failed)
	}
	at := func(q float64) time.Duration { return time.Duration(d.latency.ValueAtQuantile(q)) * time.Microsecond }
	return newRound(float64(n)/took.Seconds(), at(50), at(99)), nil
}

func (d *driver) measure(on bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.measuring = on
}

// one starts a saga and waits for its end.
func (d *driver) one(ctx context.Context) {
	began := time.Now()
	id, err := d.start(ctx)
	if err != nil {
		if ctx.Err() == nil {
			d.failed.Add(1)
			time.Sleep(10 * time.Millisecond)
		}
		return
	}
	ended := d.ending(id)
	select {
	case at := <-ended:
		d.waiting.Delete(id)
		d.done.Add(1)
		d.mu.Lock()
		if d.measuring {
			_ = d.latency.RecordValue(at.Sub(began).Microseconds())
		}
		d.mu.Unlock()
	case <-ctx.Done():
	}
}

func (d *driver) ending(id string) chan time.Time {
	c, _ := d.waiting.LoadOrStore(id, make(chan time.Time, 1))
	return c.(chan time.Time)
}

func (d *driver) start(ctx context.Context) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.base+"/v1/sagas", bytes.NewReader(d.body))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := d.client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusAccepted {
		return "", fmt.Errorf("start: %s: %s", resp.Status, body)
	}
	var started struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(body, &started); err != nil {
		return "", err
	}
	return started.ID, nil
}

// tail learns of ends from the lifecycle events, as any system beside the engine would.
func (d *driver) tail(brokers string) (stop func(), err error) {
	cfg := sarama.NewConfig()
	cfg.Version = sarama.V3_6_0_0
	cfg.Consumer.MaxWaitTime = 5 * time.Millisecond
	consumer, err := sarama.NewConsumer(strings.Split(brokers, ","), cfg)
	if err != nil {
		return nil, err
	}
	partitions, err := consumer.Partitions("skald.events")
	if err != nil {
		return nil, errors.Join(err, consumer.Close())
	}
	var readers sync.WaitGroup
	var opened []sarama.PartitionConsumer
	for _, p := range partitions {
		pc, err := consumer.ConsumePartition("skald.events", p, sarama.OffsetNewest)
		if err != nil {
			return nil, errors.Join(err, consumer.Close())
		}
		opened = append(opened, pc)
		readers.Go(func() {
			for msg := range pc.Messages() {
				for _, h := range msg.Headers {
					if string(h.Key) == "ce_type" && string(h.Value) == "skald.saga.completed" {
						select {
						case d.ending(string(msg.Key)) <- time.Now():
						default: // sent twice
						}
					}
				}
			}
		})
	}
	return func() {
		for _, pc := range opened {
			pc.AsyncClose()
		}
		readers.Wait()
		_ = consumer.Close()
	}, nil
}
