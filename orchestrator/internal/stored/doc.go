// Package stored knows what the stores keep: the formats of stored bytes, and what is worked out from them.
//
// Every value begins with a byte that names its format; a golden file in testdata keeps each format readable. Both stores
// encode and decode through this package (instances and facts through saga's codec), so that the one in memory cannot keep
// what Postgres could not.
package stored
