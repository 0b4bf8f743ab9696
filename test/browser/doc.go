// Package browser tests the dashboard in a real headless Chromium against the real binary, with the reference participants.
//
// The Go test starts everything and brings about what there is to see; main.mjs drives the browser (playwright-core, axe-core: both
// for development alone) and says, a line of JSON each, what held and what did not. It needs node and chromium: where they are
// missing the tests are skipped, but fail where CI or SKALD_TEST_BROWSER is set.
//
// SKALD_TEST_BROWSER_PARTS=flows,pages does some of main.mjs alone. SKALD_TEST_SCREENSHOTS=dir writes a picture of every page, light, dark and as
// wide as a phone, into a folder.
package browser
