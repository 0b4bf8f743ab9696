//go:build !race

package browser

import "strings"

// hostile are texts that want to be more than text.
func hostile() []string {
	return []string{
		`<script>window.pwned=1</script>`,
		`</script><script>window.pwned=1</script>`,
		`"><script>window.pwned=1</script>`,
		`'><img src=x onerror="window.pwned=1">`,
		`<img src=x onerror=window.pwned=1>`,
		`<svg onload=window.pwned=1>`,
		`<svg><script>window.pwned=1</script></svg>`,
		`<iframe srcdoc="<script>parent.pwned=1</script>"></iframe>`,
		`<body onload=window.pwned=1>`,
		`<details open ontoggle=window.pwned=1>`,
		`<a href="javascript:window.pwned=1">click</a>`,
		`javascript:window.pwned=1`,
		`data:text/html,<script>window.pwned=1</script>`,
		`<style>@import "javascript:window.pwned=1"; body{display:none}</style>`,
		`<link rel=stylesheet href=//evil.example/x.css>`,
		`<base href="//evil.example/">`,
		`<meta http-equiv=refresh content="0;url=//evil.example">`,
		`<form action=//evil.example><button>go</button></form>`,
		`<template><img src=x onerror=window.pwned=1></template>`,
		`{{constructor.constructor('window.pwned=1')()}}`,
		`${window.pwned=1}`,
		`{ templ.Raw("<script>window.pwned=1</script>") }`,
		`<div hx-get="/v1/sagas" hx-trigger="load" hx-on:load="window.pwned=1"></div>`,
		`<div hx-sse:connect="/live" hx-on::after:swap="window.pwned=1"></div>`,
		`<!--><script>window.pwned=1</script-->`,
		`]]><script>window.pwned=1</script>`,
		`&lt;script&gt;window.pwned=1&lt;/script&gt;`,
		"\u202egnp.exe\u202c right to left",
		"a\u200bb\u2066c\u2069\ufeffd",
		"line\none\ttab\r\nand nothing",
		strings.Repeat("W", 500),
		`../../../etc/passwd?x=1&y=%00#frag`,
	}
}
