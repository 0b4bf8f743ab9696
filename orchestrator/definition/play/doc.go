// Package play plays a saga definition without any server: a saga runs through saga.Decide in virtual time, and a script says what
// its participants answer. It shows what the engine would do, before a definition is registered.
package play
