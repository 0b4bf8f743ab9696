// Package sagapage is the dashboard's page of one saga, and the forms that act on it.
//
// Data flow: a request -> Source (the REST API's own readers and actions, so the same permissions and the same masking of payloads)
// -> a view, which is a pure function of the saga, its graph, its newest facts and the time -> templ components -> HTML and SVG.
// Nothing below view.go asks anybody, so golden files of the HTML stand for whole pages.
//
// Every action is rehearsed first: the form shows what the same decision would do now, and carries the revision that this was said
// of. If the saga has moved on until it is confirmed, nothing is done, and the form says what happened meanwhile.
package sagapage
