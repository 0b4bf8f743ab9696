// Package e2e tests the service from the outside: the real binary, real servers, and nothing but its command line and its API.
package e2e
