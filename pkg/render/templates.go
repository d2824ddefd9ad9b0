package render

import (
	"bytes"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"io"
	"maps"
	"path/filepath"
	"strings"
	"sync"
	texttemplate "text/template"
	"text/template/parse"
	"time"

	"github.com/prometheus/alertmanager/template"
)

// MaxOutput is the limit on the output of one template, in bytes.
const MaxOutput = 1 << 20

// Templates holds the user's template files and Alertmanager's own named templates,
// to which the templates of a configuration may refer. A nil *Templates has no
// files.
type Templates struct {
	samples  *samples // nil for none
	hasFiles bool
	named    func() (*namedTemplates, error) // loads once
}

// namedTemplates are the named templates as text and as HTML.
type namedTemplates struct {
	text *texttemplate.Template
	html *htmltemplate.Template
}

// ParseTemplates parses the files that Alertmanager's `templates` key names. As in
// Alertmanager, a pattern may match no file. Without patterns nothing is read.
func ParseTemplates(globs ...string) (*Templates, error) {
	t := &Templates{hasFiles: len(globs) > 0, named: sync.OnceValues(func() (*namedTemplates, error) { return load(globs) })}
	for _, glob := range globs {
		if _, err := filepath.Match(glob, ""); err != nil {
			return nil, fmt.Errorf("templates: %q: %w", glob, err)
		}
	}
	if t.hasFiles {
		if _, err := t.named(); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// load parses Alertmanager's named templates and then the files, which may redefine
// names. Alertmanager's type does not export the templates; its options get them.
func load(globs []string) (*namedTemplates, error) {
	named := &namedTemplates{}
	_, err := template.FromGlobs(globs, func(text *texttemplate.Template, html *htmltemplate.Template) {
		named.text, named.html = text, html
	})
	if err != nil {
		return nil, fmt.Errorf("templates: %w", err)
	}
	return named, nil
}

// base returns the templates to which src is added: the named ones if there are
// files or src refers to a name, otherwise empty ones. Parsing Alertmanager's
// templates takes longer than the rest of a cold start.
func (t *Templates) base(src string) (*namedTemplates, error) {
	refers := strings.Contains(src, "template") || strings.Contains(src, "block")
	switch {
	case t != nil && (t.hasFiles || refers):
		return t.named()
	case refers:
		return load(nil)
	default:
		return &namedTemplates{text: texttemplate.New(""), html: htmltemplate.New("")}, nil
	}
}

// defines reports whether there are user's files and they, or Alertmanager's, define a
// name.
func (t *Templates) defines(name string) bool {
	if t == nil || !t.hasFiles {
		return false
	}
	named, err := t.named()
	return err == nil && named.text.Lookup(name) != nil
}

// Text is a compiled text template. It may be used by several goroutines.
type Text struct {
	constant  string
	builtin   bool
	execution execution
	tmpl      *texttemplate.Template
}

// CompileText compiles a text template. Text without "{{" is a constant and costs
// nothing. The names in builtins, such as "wecom.default", expand to View.Builtin
// inside src unless the user's files define them. An undefined name is an error.
func (t *Templates) CompileText(src string, builtins ...string) (*Text, error) {
	return t.compileText(src, nil, builtins)
}

// CompileURL compiles the text template of a URL. The text of the template and its strings
// are the URL's own; what another action such as {{ .CommonLabels.team }} prints is
// percent-encoded, all but the unreserved characters of RFC 3986, so that it stays within
// the part of the path or of the query that it stands in.
func (t *Templates) CompileURL(src string) (*Text, error) {
	return t.compileText(src, map[string]any{printFunc: percentEncode, "urlquery": percentEncode}, nil)
}

// CompileMarked compiles a text template, as CompileText does, that marks what its actions
// print. [SplitNames] and [Unmark] remove the marks.
func (t *Templates) CompileMarked(src string, builtins ...string) (*Text, error) {
	return t.compileText(src, map[string]any{printFunc: mark}, builtins)
}

// compileText compiles a text template with more functions, of which printFunc is applied
// to what every action prints.
func (t *Templates) compileText(src string, funcs map[string]any, builtins []string) (*Text, error) {
	if !strings.Contains(src, "{{") {
		return &Text{constant: src}, nil
	}
	for _, name := range builtins {
		if !t.defines(name) && isCall(src, name) {
			return &Text{builtin: true}, nil
		}
	}
	base, err := t.base(src)
	if err != nil {
		return nil, err
	}
	x := &Text{}
	set, err := base.text.Clone()
	if err != nil {
		return nil, err
	}
	set.Option("missingkey=zero").Funcs(x.execution.funcs())
	for _, name := range builtins {
		if set.Lookup(name) != nil {
			continue
		}
		if _, err := set.New(name).Parse("{{ " + builtinFunc + " }}"); err != nil {
			return nil, err
		}
	}
	if funcs != nil {
		set.Funcs(funcs)
		for _, named := range set.Templates() { // their trees are those of base
			if _, err := set.AddParseTree(named.Name(), named.Tree.Copy()); err != nil {
				return nil, err
			}
		}
	}
	if x.tmpl, err = set.New("").Parse(src); err != nil {
		return nil, err
	}
	all, err := nodes(x.tmpl.Tree, func(name string) *parse.Tree {
		if found := x.tmpl.Lookup(name); found != nil {
			return found.Tree
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if funcs != nil {
		appendPrintFunc(all)
	}
	return x, t.check(all, x.Execute)
}

// isCall reports whether src is {{ template "name" . }} and nothing else.
func isCall(src, name string) bool {
	src = strings.TrimSpace(src)
	src, opened := strings.CutPrefix(src, "{{")
	src, closed := strings.CutSuffix(src, "}}")
	words := strings.Fields(strings.Trim(src, "-"))
	return opened && closed && len(words) == 3 && words[0] == "template" && strings.Trim(words[1], "\"`") == name && words[2] == "."
}

// Builtin reports whether the template is nothing but a call of the channel's built-in
// text. The channel then builds the message itself, and splits a long one between
// alerts.
func (x *Text) Builtin() bool { return x.builtin }

// Execute executes the template. Output above MaxOutput is an error.
func (x *Text) Execute(v *View) (string, error) {
	switch {
	case x.builtin:
		return v.builtin(), nil
	case x.tmpl == nil:
		return x.constant, nil
	}
	return x.execution.run(v, x.tmpl.Execute)
}

// HTML is a compiled template of an HTML document, in which values are escaped for
// their context. It may be used by several goroutines.
type HTML struct {
	constant  string
	execution execution
	tmpl      *htmltemplate.Template
}

// CompileHTML compiles an HTML template, as CompileText does for text.
func (t *Templates) CompileHTML(src string) (*HTML, error) {
	if !strings.Contains(src, "{{") {
		return &HTML{constant: src}, nil
	}
	base, err := t.base(src)
	if err != nil {
		return nil, err
	}
	x := &HTML{}
	set, err := base.html.Clone()
	if err != nil {
		return nil, err
	}
	set.Option("missingkey=zero").Funcs(x.execution.funcs())
	if x.tmpl, err = set.New("").Parse(src); err != nil {
		return nil, err
	}
	all, err := nodes(x.tmpl.Tree, func(name string) *parse.Tree {
		if found := x.tmpl.Lookup(name); found != nil {
			return found.Tree
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return x, t.check(all, x.Execute)
}

// Execute executes the template. Output above MaxOutput is an error.
func (x *HTML) Execute(v *View) (string, error) {
	if x.tmpl == nil {
		return x.constant, nil
	}
	return x.execution.run(v, x.tmpl.Execute)
}

const builtinFunc = "tocsinBuiltin"

// execution provides a compiled template's functions with the notification that is
// being rendered; a mutex serializes executions of the same template. Alertmanager
// instead copies the whole set of templates for each notification.
type execution struct {
	mu   sync.Mutex
	view *View
}

// funcs returns Alertmanager's template functions. Those that use the clock use the
// time of the notification instead, so that a retry renders the same text.
func (e *execution) funcs() map[string]any {
	funcs := maps.Clone(map[string]any(template.DefaultFuncs))
	funcs["now"] = func() time.Time { return e.view.n.At }
	funcs["since"] = func(t time.Time) time.Duration { return e.view.n.At.Sub(t) }
	funcs["routeLabels"] = func(name string) (string, error) {
		if e.view.RouteLabel != nil {
			return e.view.RouteLabel(name)
		}
		return e.view.Data().RouteLabels[name], nil
	}
	funcs["mustToDate"] = func(layout, s string) (time.Time, error) {
		at, err := time.ParseInLocation(layout, s, time.UTC)
		if err != nil && e.view.sample {
			return sampleAt, nil // a sample's value has no particular layout
		}
		return at, err
	}
	funcs[builtinFunc] = func() string { return e.view.builtin() }
	return funcs
}

func (e *execution) run(v *View, execute func(io.Writer, any) error) (string, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.view = v
	defer func() { e.view = nil }()
	var out limitedBuffer
	if err := execute(&out, v.Data()); err != nil {
		return "", err
	}
	return out.String(), nil
}

func (v *View) builtin() string {
	if v.Builtin == nil {
		return ""
	}
	return v.Builtin()
}

// limitedBuffer is a buffer of at most MaxOutput bytes.
type limitedBuffer struct{ bytes.Buffer }

var errOutput = errors.New("the template prints more than 1 MiB")

func (b *limitedBuffer) Write(p []byte) (int, error) {
	if b.Len()+len(p) > MaxOutput {
		return 0, errOutput
	}
	return b.Buffer.Write(p)
}

// nodes returns the nodes of a template, and of those that it refers to. It returns an
// error if it refers to an undefined name, which text/template itself reports only
// during execution.
func nodes(tree *parse.Tree, lookup func(name string) *parse.Tree) ([]parse.Node, error) {
	var out []parse.Node
	var undefined error
	seen := map[string]bool{}
	var walk func(parse.Node)
	walkList := func(l *parse.ListNode) {
		if l != nil {
			for _, node := range l.Nodes {
				walk(node)
			}
		}
	}
	walkPipe := func(p *parse.PipeNode) {
		if p != nil {
			for _, command := range p.Cmds {
				walk(command)
			}
		}
	}
	walkBranch := func(b *parse.BranchNode) {
		walkPipe(b.Pipe)
		walkList(b.List)
		walkList(b.ElseList)
	}
	walk = func(node parse.Node) {
		out = append(out, node)
		switch node := node.(type) {
		case *parse.ActionNode:
			walkPipe(node.Pipe)
		case *parse.PipeNode:
			walkPipe(node)
		case *parse.CommandNode:
			for _, arg := range node.Args {
				walk(arg)
			}
		case *parse.ChainNode:
			walk(node.Node)
		case *parse.IfNode:
			walkBranch(&node.BranchNode)
		case *parse.RangeNode:
			walkBranch(&node.BranchNode)
		case *parse.WithNode:
			walkBranch(&node.BranchNode)
		case *parse.TemplateNode:
			walkPipe(node.Pipe)
			if seen[node.Name] {
				return
			}
			seen[node.Name] = true
			if found := lookup(node.Name); found != nil {
				walkList(found.Root)
			} else if undefined == nil {
				undefined = fmt.Errorf("template %q is not defined: check the name and the files under templates", node.Name)
			}
		}
	}
	if tree != nil {
		walkList(tree.Root)
	}
	return out, undefined
}
