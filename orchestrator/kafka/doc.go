// Package kafka is the engine's side of Kafka, on sarama: it publishes the records of the outbox, reads replies, and
// provisions topics. Broker implements orchestrator.Broker, Codec implements orchestrator.Encoder.
//
// Publishing. An idempotent producer with acks=all and one request in flight keeps the order per key and topic (S7). Every
// record gets its own outcome. A refusal by the broker concerns a whole produce batch, so whatever was in it is sent again
// alone, by a second producer, before it counts as refused; every other error is unknown. A producer that gives no result
// for Config.StallAfter is given up and rebuilt.
//
// Reading. Members of one consumer group share the reply topic. Replies are decoded and their tokens verified as they are
// read; what can never be applied comes as a Delivery with Poison. Offsets are committed behind the marks: per partition the
// highest offset below which everything is marked (S18). A partition that runs too far ahead of its marks is not read on.
// A batch that cannot be unpacked would end the reading of its whole broker; it is passed over, as poison named by its place.
//
// Connections are made in the background and made again when they break: opening a Broker needs no Kafka.
package kafka
