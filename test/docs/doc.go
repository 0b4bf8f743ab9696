// Package docs holds the test that keeps README.md and docs true as far as that is cheap: links, paths, commands, numbers and
// names of tests.
package docs
