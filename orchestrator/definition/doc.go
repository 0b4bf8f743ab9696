// Package definition reads saga definitions from YAML or JSON into saga.Definition, and reports everything that is wrong with one
// at once, each problem with its file, line, column and path (design section 4).
//
// Reading goes: source -> tree with positions (yaml.go, json.go) -> grammar (grammar.go, step.go) -> saga.Definition.Link ->
// schemas (schema.go) and expressions (template.go, cel.go). The result is immutable and safe for concurrent use; what it
// evaluates is deterministic: the same scope gives the same bytes on every machine.
//
// # Expressions
//
// A template is any JSON value with expressions in its strings. A string that is wholly one ${...} becomes the expression's value; in
// any other string each ${...} is inserted as text (strings as they are, everything else as JSON; null is an error), and $${ stands
// for ${. `when` and `key` are bare expressions, without ${}.
//
// Expressions see `input`, `steps['name'].output` of steps that are certain to be settled by then, and in the payload of a
// compensation `output`, the step's own. "Certain to be settled" means: a step may refer to its ancestors, the saga's output to
// every step, `key` and `labels` to none. An ancestor that was skipped has the output null. The step's own output is null in a
// compensation when the step was never answered, so a compensation that cannot work without it is refused when it is read.
//
// A plain path (names, .name, ['name'], [n]) copies the JSON that it finds, byte for byte: 1.10 stays 1.10, and 1e400 or a number
// of forty digits is no problem. What is absent is null. Where an object has a name twice, the last counts.
//
// Anything larger is CEL: the standard functions and macros and the optional types (has(), ?., [?], orValue). There JSON numbers are
// int where their value is whole and fits into 64 bits (1.0 and 1e2 too), else double; a number's type depends on its value, never on
// how it was written, so arithmetic with fractions says double(x). 1e400 fits neither and fails. What CEL gives is written as JSON:
// optional.none() as null, timestamps and durations as text; bytes and types have no JSON form. Maps are walked in the order of
// their keys. Left out are what is not deterministic (time zones by name, whose tables differ between machines) and what is not
// bounded (patterns of matches() that are not constants). Expressions are limited in length, depth, cost and memory.
package definition
