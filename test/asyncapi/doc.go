// Package asyncapi holds the documents that `skald definition asyncapi` prints against the schema of AsyncAPI 3.0, which npm brings.
package asyncapi
