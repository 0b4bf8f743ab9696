// Package stack runs the service for tests as it runs in production: the real binary, each replica and each participant a
// process of its own, on a database and topics that no other test has.
//
// Servers come from embeddedtest: embedded ones, or those that SKALD_TEST_DATABASE_URL and SKALD_TEST_KAFKA_BROKERS name.
package stack
