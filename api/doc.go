// Package api is Skald's REST API: chi for routing, huma for parameters and OpenAPI 3.1, problem+json for every error,
// server-sent events for what changes (design section 8).
//
// A request goes: request id, log and recovery -> security headers -> loopback guard -> body limit -> route -> principal,
// rate and permission -> parameters -> handler -> engine. Bodies are read by this package itself, once, with unknown fields
// refused; only a body that is wrong is looked at again, to name all that is wrong with it.
//
// Every route declares the permission that it needs (route.permission); a test walks all of them. Handlers read the
// tenant from the principal and nowhere else (S23).
//
// The request and answer types are package client's, so the server and the Go client cannot drift apart.
package api
