// Package webhook tells somebody's HTTP server that a person is asked for: attention was raised, a saga became suspended, or it
// ended and left something behind.
//
// Notices come from the lifecycle events on skald.events, which are written in the saga's own transaction; an event counts as
// handled once the receiver has answered 2xx. So every notice is delivered at least once, whichever replica dies in between, and
// the receiver tells repeated ones by their id. Requests are signed. The address is checked when it is dialed, so that neither a
// name that resolves to something else the second time nor a redirect leads into a private network.
package webhook
