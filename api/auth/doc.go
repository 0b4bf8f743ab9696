// Package auth finds out who asks: by API key, by a token of an OpenID Connect provider, or by the session of somebody who signed in
// to the dashboard. It is api.Authenticator and api.SignIn; who is not known is let in nowhere.
//
// A request with an Authorization header is judged by that alone, else by its cookie. What the database says of keys and sessions is
// believed for CacheFor: that is how long a revoked key may still be used.
package auth
