// Package chaos breaks the service from the outside while it works: processes are killed, and everything must still end, once.
package chaos
