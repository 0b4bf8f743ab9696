// Package configs holds every key of the service with its default, the readers of a configuration file, and the sample
// definitions.
//
// A key has one name in three spellings: intake.batch_events in a file, --intake-batch-events as a flag,
// SKALD_INTAKE_BATCH_EVENTS in the environment. A flag wins over the environment, the environment over the file, the file
// over the default. Config is a kong struct: embed it in a command and call Validate once it is filled. skald.yaml lists
// all keys.
package configs
