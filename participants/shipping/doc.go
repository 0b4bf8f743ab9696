// Package shipping is the reference participant that ships. CreateShipment.v1 stands after the pivot of its saga and
// has no compensation; to ship_to "nowhere" it fails, and goes on failing.
package shipping
