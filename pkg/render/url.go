package render

import (
	"fmt"
	"net/url"
	"strings"
	"text/template/parse"
)

// encodeFunc is the function that encodes what the actions of a URL's template print. It
// replaces the one of text/template, so that a template may call it too.
const encodeFunc = "urlquery"

// encoded is text that is percent-encoded.
type encoded string

// percentEncode encodes the text of values, except for one that is encoded already.
func percentEncode(values ...any) encoded {
	if len(values) == 1 {
		if e, ok := values[0].(encoded); ok {
			return e
		}
	}
	return encoded(strings.ReplaceAll(url.QueryEscape(fmt.Sprint(values...)), "+", "%20"))
}

// encodeActions appends a call of encodeFunc to every action that prints, as html/template
// does with its functions.
func encodeActions(nodes []parse.Node) {
	for _, node := range nodes {
		action, ok := node.(*parse.ActionNode)
		if !ok || len(action.Pipe.Decl) > 0 {
			continue
		}
		action.Pipe.Cmds = append(action.Pipe.Cmds, &parse.CommandNode{
			NodeType: parse.NodeCommand, Pos: action.Pos,
			Args: []parse.Node{parse.NewIdentifier(encodeFunc).SetPos(action.Pos)},
		})
	}
}
