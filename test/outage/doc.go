// Package outage tests what holds while Kafka is away and when what comes in is rubbish: the real binary on a real Postgres
// and an Apache Kafka that each test starts, stops and starts again by itself. It needs Java 17 and Maven, as
// test/apachekafka does.
package outage
