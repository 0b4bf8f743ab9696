// Command trains is the participant of the README: it books seats, and frees them again.
package main

import (
	"context"
	"log"
	"os"

	"github.com/skaldhq/skald/participants"
	"github.com/skaldhq/skald/participants/kafka"
)

func main() {
	transport, err := kafka.New(kafka.Config{Brokers: []string{os.Getenv("SKALD_KAFKA_BROKERS")}})
	if err != nil {
		log.Fatal(err)
	}
	p := participants.New("trains", &participants.Memory{}, participants.Config{})
	p.Handle("BookSeats.v1", book, nil) // an execute
	p.Handle("FreeSeats.v1", nil, free) // a compensate
	log.Fatal(p.Run(context.Background(), transport))
}

func book(_ context.Context, req *participants.Request) (participants.Result, error) {
	var trip struct{ Seats int }
	if err := req.Decode(&trip); err != nil || trip.Seats > 4 {
		return participants.Reject("too_many_seats", "a trip has at most 4 seats")
	}
	return participants.Succeed(map[string]int{"seats": trip.Seats})
}

func free(context.Context, *participants.Request) (participants.Result, error) {
	return participants.Succeed(nil)
}
