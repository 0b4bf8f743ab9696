package dashboard

import (
	"net/http"

	"github.com/skaldhq/skald/api/dashboard/ui"
)

// SignIn is what the sign-in page shows.
type SignIn struct {
	Key      bool   // by an API key
	Provider string // by the identity provider of this name; empty: there is none
	Next     string // a path of this server, for afterwards
	Wrong    string // why it did not work; empty: nobody tried
	As       string // who is signed in already; empty: nobody
}

// SignIn answers with the sign-in page.
func (d *Dashboard) SignIn(w http.ResponseWriter, r *http.Request, status int, s SignIn) {
	page := ui.Page{Title: "Sign in", Bare: true, Shell: &ui.Shell{Asset: d.assets.URL, Version: d.version}}
	d.write(w, r, status, signInPage(page, &s))
}
