// Package ui holds what every page of the dashboard is made of: the frame around it, the marks of statuses, times, durations and
// ids. Nothing in it reads data or knows routes beyond those of the navigation.
//
// Rules for pages: no inline script and no style attribute (the content policy refuses both; SVG attributes are fine), whatever
// comes from a payload, an error text, a name or a label is text and never markup, a status is told by mark, word and colour
// together, and everything can be read without JavaScript. Part of a page that follows events stands in Live. State that a reader
// changed (an open <details>, a checked box, a text in a field) survives updates; an element with hx-morph-skip is left alone.
package ui
