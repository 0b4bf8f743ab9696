// Package architecture holds the test that keeps the direction of imports.
package architecture
