// Package dashboard is the admin dashboard: pages rendered on the server, for the operator at three in the morning and for whoever
// asks where an order is.
//
// A request goes from the API's router to a page (Routes names it, with its permission), which asks the Backend (the API's own
// handlers, so permissions and masking are those of the API), and is written by templ components. A page that shows what moves
// follows one stream of hints; a hint makes the browser read the page again and put in place what changed (htmx). Actions are
// forms: they post, are rehearsed first, and answer with a redirect. Nothing needs JavaScript but convenience.
//
// Packages: ui is the frame and the marks of all pages, assets the files that browsers load, sagapage the page of one saga.
package dashboard
