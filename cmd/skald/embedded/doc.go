// Package embedded starts the servers that dev mode and the tests stand on: a real Postgres as a child process and a
// Kafka-protocol broker inside this one. Nothing has to be installed for either, and neither is meant for production.
//
// Postgres runs from binaries that are fetched once and cached, or from those found on the machine (binaries.go). As root
// the server programs run as an unprivileged user, because they refuse to run as root (account.go). Each Postgres major
// has a folder of its own, and a folder that can't be understood is never touched (cluster.go).
//
// Linux and macOS are supported. Elsewhere, give SKALD_DATABASE_URL and SKALD_KAFKA_BROKERS.
package embedded
