package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/skaldhq/skald/orchestrator/saga"
)

// completionCmd prints completion scripts, made from the commands themselves.
type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Help is shown under the command's usage.
func (completionCmd) Help() string {
	return `Examples:

  source <(skald completion bash)
  skald completion zsh > "${fpath[1]}/_skald"
  skald completion fish > ~/.config/fish/completions/skald.fish`
}

// Run prints one.
func (cmd completionCmd) Run(term *console) error {
	places := places(term.model.Node, "skald", nil)
	switch cmd.Shell {
	case "bash":
		return bashCompletion(term.out, places)
	case "zsh":
		return zshCompletion(term.out, places)
	}
	return fishCompletion(term.out, places)
}

// place is a point of a command line at which something can be completed: after a command.
type place struct {
	path     string // such as "skald saga start"
	commands []choice
	flags    []choice
	args     []string // values of its argument, where they are known
	asks     string   // of its argument: what the server is asked for; empty: nothing
}

// choice is a word that may follow, and what it is.
type choice struct {
	word, help string
	values     []string // of a flag, where they are known
	asks       string   // of a flag: what the server is asked for; empty: nothing
	takesValue bool
}

// places walks over the commands.
func places(node *kong.Node, path string, inherited []choice) []place {
	p := place{path: path, flags: slices.Clone(inherited)}
	for _, flag := range node.Flags {
		if flag.Hidden {
			continue
		}
		c := choice{word: "--" + flag.Name, help: firstSentence(flag.Help), takesValue: !flag.IsBool()}
		if flag.Enum != "" {
			c.values = flag.EnumSlice()
		} else {
			c.values = offered(flag.Tag.Get("choices"))
		}
		c.asks = flag.Tag.Get("completes")
		p.flags = append(p.flags, c)
	}
	for _, arg := range node.Positional {
		if arg.Enum != "" {
			p.args = arg.EnumSlice()
		}
		p.asks = cmp.Or(p.asks, arg.Tag.Get("completes"))
	}
	var below []place
	for _, child := range node.Children {
		if child.Hidden {
			continue
		}
		p.commands = append(p.commands, choice{word: child.Name, help: firstSentence(child.Help)})
		below = append(below, places(child, path+" "+child.Name, p.flags)...)
	}
	return append([]place{p}, below...)
}

func firstSentence(help string) string {
	first, _, _ := strings.Cut(help, ". ")
	return strings.TrimSuffix(first, ".")
}

// shellQuote makes one word of text for bash and zsh.
func shellQuote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

func wordsOf(choices []choice) []string {
	out := make([]string, len(choices))
	for i, c := range choices {
		out[i] = c.word
	}
	return out
}

// walk is the part that bash and zsh share: which command the words before the cursor name.
func walk(b *strings.Builder, places []place, each string) {
	var paths []string
	for _, p := range places[1:] {
		paths = append(paths, shellQuote(p.path))
	}
	fmt.Fprintf(b, "    at=skald\n    for word in %s; do\n        case \"$at $word\" in\n            %s) at=\"$at $word\" ;;\n        esac\n    done\n",
		each, strings.Join(paths, "|"))
}

// offered are words that a flag may take; the server says whether it takes others.
func offered(kind string) []string {
	switch kind {
	case "attention":
		return texts(
			saga.AttentionExhausted, saga.AttentionSlow, saga.AttentionDeadline, saga.AttentionBadOutput, saga.AttentionExpression,
			saga.AttentionRejected, saga.AttentionUnpublishable, saga.AttentionUndoFailed, saga.AttentionLateEffect, saga.AttentionConflict,
			saga.AttentionBarrier, saga.AttentionHeld, saga.AttentionHistory, saga.AttentionInvariant, "any",
		)
	case "cause":
		return texts(saga.CauseReply, saga.CauseBackoff, saga.CauseHold, saga.CauseAttention, saga.CauseUnpublished)
	}
	return nil
}

func texts[T ~string](list ...T) []string {
	out := make([]string, len(list))
	for i, w := range list {
		out[i] = string(w)
	}
	return out
}

func bashCompletion(w io.Writer, places []place) error {
	var b strings.Builder
	b.WriteString("# Completion of skald for bash: source <(skald completion bash)\n_skald() {\n    local cur prev at word\n" +
		"    cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n")
	walk(&b, places, `"${COMP_WORDS[@]:1:COMP_CWORD-1}"`)
	b.WriteString("    case \"$at $prev\" in\n")
	for _, p := range places {
		for _, f := range p.flags {
			if f.takesValue {
				fmt.Fprintf(&b, "        %s) COMPREPLY=($(compgen -W %s%s -- \"$cur\")); return ;;\n",
					shellQuote(p.path+" "+f.word), shellQuote(strings.Join(f.values, " ")), bashAsks(f.asks))
			}
		}
	}
	b.WriteString("    esac\n    case \"$at\" in\n")
	for _, p := range places {
		all := slices.Concat(wordsOf(p.commands), p.args)
		fmt.Fprintf(&b, "        %s) [[ $cur == -* ]] && word=%s || word=%s%s ;;\n", shellQuote(p.path),
			shellQuote(strings.Join(wordsOf(p.flags), " ")), shellQuote(strings.Join(all, " ")), bashAsks(p.asks))
	}
	b.WriteString("    esac\n    COMPREPLY=($(compgen -W \"$word\" -- \"$cur\"))\n}\ncomplete -o default -F _skald skald\n")
	return writeText(w, b.String())
}

// bashAsks is a word that has what the server knows; skald is the one that is being typed.
func bashAsks(kind string) string {
	if kind == "" {
		return ""
	}
	return fmt.Sprintf(`"$("${COMP_WORDS[0]}" __complete %s "${COMP_WORDS[@]:1:COMP_CWORD-1}" 2>/dev/null)"`, kind)
}

func zshAsks(kind string) string {
	return fmt.Sprintf(`${(f)"$(${words[1]} __complete %s "${(@)words[2,CURRENT-1]}" 2>/dev/null)"}`, kind)
}

func zshCompletion(w io.Writer, places []place) error {
	var b strings.Builder
	b.WriteString("#compdef skald\n# Completion of skald for zsh: skald completion zsh > \"${fpath[1]}/_skald\"\n_skald() {\n    local at word\n    local -a items\n")
	walk(&b, places, `"${(@)words[2,CURRENT-1]}"`)
	b.WriteString("    case \"$at ${words[CURRENT-1]}\" in\n")
	for _, p := range places {
		for _, f := range p.flags {
			switch {
			case len(f.values) > 0:
				fmt.Fprintf(&b, "        %s) compadd -- %s; return ;;\n", shellQuote(p.path+" "+f.word), strings.Join(f.values, " "))
			case f.asks != "":
				fmt.Fprintf(&b, "        %s) compadd -- %s; return ;;\n", shellQuote(p.path+" "+f.word), zshAsks(f.asks))
			case f.takesValue:
				fmt.Fprintf(&b, "        %s) _files; return ;;\n", shellQuote(p.path+" "+f.word))
			}
		}
	}
	b.WriteString("    esac\n    case \"$at\" in\n")
	for _, p := range places {
		var items []string
		for _, c := range slices.Concat(p.commands, p.flags) {
			items = append(items, shellQuote(c.word+":"+strings.ReplaceAll(c.help, ":", `\:`)))
		}
		for _, arg := range p.args {
			items = append(items, shellQuote(arg))
		}
		asks := ""
		if p.asks != "" {
			asks = fmt.Sprintf("[[ ${words[CURRENT]} == -* ]] || compadd -- %s; ", zshAsks(p.asks))
		}
		fmt.Fprintf(&b, "        %s) %sitems=(%s) ;;\n", shellQuote(p.path), asks, strings.Join(items, " "))
	}
	b.WriteString("    esac\n    _describe -t commands skald items || _files\n}\n" +
		"if [[ $funcstack[1] == _skald ]]; then _skald \"$@\"; else compdef _skald skald; fi\n")
	return writeText(w, b.String())
}

func fishCompletion(w io.Writer, places []place) error {
	var b strings.Builder
	b.WriteString("# Completion of skald for fish: skald completion fish > ~/.config/fish/completions/skald.fish\n" +
		"function __skald_at\n    set -l at skald\n    for word in (commandline -opc)[2..]\n        switch \"$at $word\"\n            case ")
	for _, p := range places[1:] {
		b.WriteString(fishQuote(p.path) + " ")
	}
	b.WriteString("\n                set at \"$at $word\"\n        end\n    end\n    test \"$at\" = \"$argv\"\nend\ncomplete -c skald -f\n")
	for _, p := range places {
		at := fishQuote("__skald_at " + p.path)
		for _, c := range p.commands {
			fmt.Fprintf(&b, "complete -c skald -n %s -a %s -d %s\n", at, fishQuote(c.word), fishQuote(c.help))
		}
		for _, arg := range p.args {
			fmt.Fprintf(&b, "complete -c skald -n %s -a %s\n", at, fishQuote(arg))
		}
		if p.asks != "" {
			fmt.Fprintf(&b, "complete -c skald -n %s -a %s\n", at, fishAsks(p.asks))
		}
		for _, f := range p.flags {
			line := fmt.Sprintf("complete -c skald -n %s -l %s -d %s", at, strings.TrimPrefix(f.word, "--"), fishQuote(f.help))
			switch {
			case len(f.values) > 0:
				line += " -x -a " + fishQuote(strings.Join(f.values, " "))
			case f.asks != "":
				line += " -x -a " + fishAsks(f.asks)
			case f.takesValue:
				line += " -r -F"
			}
			b.WriteString(line + "\n")
		}
	}
	return writeText(w, b.String())
}

func fishAsks(kind string) string {
	return fishQuote("(skald __complete " + kind + " (commandline -opc)[2..] 2>/dev/null)")
}

func fishQuote(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`).Replace(text) + "'"
}

func writeText(w io.Writer, text string) error {
	if _, err := io.WriteString(w, text); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}
