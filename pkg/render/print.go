package render

import (
	"fmt"
	"strings"
	"text/template/parse"
)

// printFunc is the name of the function that is applied to what an action prints.
const printFunc = "tocsinPrint"

// appendPrintFunc appends a call of printFunc to every action that prints, as html/template
// does with its functions.
func appendPrintFunc(nodes []parse.Node) {
	for _, node := range nodes {
		action, ok := node.(*parse.ActionNode)
		if !ok || len(action.Pipe.Decl) > 0 || isConstant(action.Pipe) {
			continue
		}
		action.Pipe.Cmds = append(action.Pipe.Cmds, &parse.CommandNode{
			NodeType: parse.NodeCommand, Pos: action.Pos,
			Args: []parse.Node{parse.NewIdentifier(printFunc).SetPos(action.Pos)},
		})
	}
}

// isConstant reports whether a pipeline is nothing but a string of the template.
func isConstant(pipe *parse.PipeNode) bool {
	return len(pipe.Cmds) == 1 && len(pipe.Cmds[0].Args) == 1 && pipe.Cmds[0].Args[0].Type() == parse.NodeString
}

// markStart and markEnd enclose what the actions of a template print.
const markStart, markEnd = '\x01', '\x02'

func mark(values ...any) string {
	text := strings.Map(func(r rune) rune {
		if r == markStart || r == markEnd {
			return -1
		}
		return r
	}, fmt.Sprint(values...))
	return string(markStart) + text + string(markEnd)
}

// Unmark returns marked text with replace applied to what the actions printed, of which
// adjacent texts are one. before is the text in front of it.
func Unmark(text string, replace func(before, value string) string) string {
	text = strings.ReplaceAll(text, string(markEnd)+string(markStart), "")
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, string(markStart))
		b.WriteString(before)
		if !found {
			return b.String()
		}
		value, after, _ := strings.Cut(rest, string(markEnd))
		b.WriteString(replace(b.String(), value))
		text = after
	}
}

// Name is one of a list of names that a template prints.
type Name struct {
	Text string
	// FromAlert is set if an action of the template, such as {{ .CommonLabels.team }},
	// printed a part of the name. The others are the configuration's own.
	FromAlert bool
}

// SplitNames splits a list of names that are separated by commas, semicolons, "|" or
// white space.
func SplitNames(list string) []Name {
	var out []Name
	var text strings.Builder
	marked, fromAlert := false, false
	for _, r := range list + "\n" {
		switch {
		case r == markStart || r == markEnd:
			marked = r == markStart
		case strings.ContainsRune("|,;，；、 \t\r\n", r):
			if text.Len() > 0 {
				out = append(out, Name{text.String(), fromAlert})
			}
			text.Reset()
			fromAlert = false
		default:
			text.WriteRune(r)
			fromAlert = fromAlert || marked
		}
	}
	return out
}
