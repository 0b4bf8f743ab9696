// Package why brings about what can go wrong with a saga, on real processes, Postgres and Kafka, and holds the service to two things each
// time: within two seconds of the onset both GET /v1/sagas/{id} and `skald saga why` name the cause, and the operator's action,
// rehearsed and then done, ends the saga with a certificate that the participants' own tables bear out.
package why
