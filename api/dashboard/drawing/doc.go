// Package drawing lays out the graph of a saga's steps: which layer and lane each step stands in (Place), and where boxes and lines go
// when it is drawn from left to right (Wide) or from top to bottom (Tall). It is pure and deterministic: the same graph gives the same
// picture, so a picture that is drawn again can be put in the place of the one before.
//
// Data flow: Graph -> Place (layers by the longest way, order by barycentres) -> Wide or Tall -> boxes and SVG paths for a template.
package drawing
