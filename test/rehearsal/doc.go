// Package rehearsal holds the test that a dry run tells what will happen: asked of one replica and done on another, over REST.
package rehearsal
