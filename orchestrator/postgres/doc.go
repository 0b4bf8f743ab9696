// Package postgres keeps sagas in PostgreSQL 15 or later, on pgx.
//
// A transaction is two pipelined round trips: begin, claims, load, what is known of the outbox, holds and clock in the first;
// all writes and COMMIT in the second. So the guards that writes need (S17) fail on the server, and what COMMIT did is read
// from its tag. Rows that belong together are written by one statement each, from arrays.
//
// All SQL stands in constants, in the files sql_*.go. Statements on partitioned tables name the bounds of the ids they
// concern, so that only the partitions between them are planned and touched.
package postgres
