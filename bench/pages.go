package main

import "github.com/skaldhq/skald/bench/fill"

// pages are the dashboard's, as a browser asks for them; id is that of a saga. Most of them count, and all say in the bar on top how many
// sagas need a person.
func pages(s *settings, id string) []request {
	at := func(what, path string) request {
		return request{what: "page: " + what, path: func(int) string { return path }, kind: page}
	}
	return []request{
		at("overview", "/"),
		at("sagas", "/sagas"),
		at("sagas, live", "/sagas?status=running,compensating,suspended"),
		at("sagas, need a person", "/sagas?attention=any"),
		at("sagas, oldest first", "/sagas?order=oldest"),
		at("sagas, left something", "/sagas?verdict=residue"),
		at("sagas, a definition", "/sagas?saga="+fill.Second),
		at("sagas, a label", "/sagas?label=region:eu"),
		{what: "page: sagas, a key", path: func(n int) string { return "/sagas?key=" + fill.Key(n*7919%s.stored) }, kind: page},
		at("one saga", "/sagas/"+id),
		at("definitions", "/definitions"),
		at("a definition", "/definitions/"+fill.Common+"/1"),
		at("participants", "/participants"),
		at("quarantine", "/quarantine"),
		at("operations", "/operations"),
		at("holds", "/holds"),
		at("audit", "/audit"),
	}
}
