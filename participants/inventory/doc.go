// Package inventory is the reference participant that reserves stock. Every sku is in stock without limit, but for
// sku-sold-out and those whose stock.on_hand somebody set. ReleaseItems.v1 undoes ReserveItems.v1.
package inventory
