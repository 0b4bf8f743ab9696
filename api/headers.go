package api

import "net/http"

// The content policies. Answers of the API run nothing at all; the docs need inline styles; the dashboard gets along without.
const (
	policyAPI  = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
	policyDocs = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; " +
		"frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
	policyPages = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; " +
		"frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)

// sharedHeader is a header whose value is shared between answers, and only ever replaced.
type sharedHeader struct {
	name  string // in its canonical form
	value []string
}

func hardened() []sharedHeader {
	return []sharedHeader{
		{"Content-Security-Policy", []string{policyAPI}},
		{"X-Content-Type-Options", []string{"nosniff"}},
		{"X-Frame-Options", []string{"DENY"}},
		{"Referrer-Policy", []string{"no-referrer"}},
		{"Cross-Origin-Resource-Policy", []string{"same-origin"}},
		{"Cross-Origin-Opener-Policy", []string{"same-origin"}},
	}
}

// harden sets the headers that every answer has. What serves pages sets a policy of its own (withPolicy).
func harden(next http.Handler) http.Handler {
	headers := hardened()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		for i := range headers {
			h[headers[i].name] = headers[i].value
		}
		next.ServeHTTP(w, r)
	})
}

func withPolicy(policy string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", policy)
		next.ServeHTTP(w, r)
	})
}
