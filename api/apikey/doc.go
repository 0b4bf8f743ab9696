// Package apikey is what an API key looks like, how one is made, and when it is good.
//
// A key is sk_<id>_<secret>: the id finds the row, the secret is 256 random bits in hex. Only the secret's SHA-256 is stored: what
// cannot be guessed needs no slow hash.
package apikey
