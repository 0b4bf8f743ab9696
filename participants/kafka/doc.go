// Package kafka is the participants' transport over Kafka, on sarama.
//
// Commands are read by a consumer group named like the participant, from the oldest record, with sticky eager
// balancing; an offset is marked once all records up to it are finished, so a killed process leaves nothing unread.
// Replies are written by an idempotent producer with acks=all on a client of its own, partitioned like Java's clients
// do. Nothing uses Kafka's transactions: the barrier makes redelivery harmless.
package kafka
