// Package load puts sagas on a server, at a steady number in flight or at a steady rate, and measures what comes of it. It
// knows neither how a saga is started nor how its end is learned: the caller gives both, so that `skald bench` and the
// project's own benchmark share the clockwork and the statistics.
//
// A closed loop (Config.InFlight) keeps a number of sagas in flight: each slot starts one, waits for its end, and starts the
// next. It tells how much the server gets done. Its latencies are those of a client that waits: a server that stalls is
// asked for less meanwhile.
//
// An open loop (Config.Rate) starts sagas at fixed times, whatever comes back, and measures from the time at which a start
// was due, not from when it was sent. A stall therefore counts for every start that it delayed: there is no coordinated
// omission. What has not ended when the run is over is counted with the time it has taken so far.
package load
