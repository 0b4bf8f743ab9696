// Package asyncapi describes what a definition says over Kafka as an AsyncAPI 3.0 document: from the engine's side, or from that of one
// participant. The schemas of commands follow from the templates of their payloads, those of replies from `returns`.
package asyncapi
