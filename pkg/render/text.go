package render

import (
	"strings"
	"text/template"
	"text/template/parse"
)

// Text is a template of plain text, compiled once. It may be used by several
// goroutines.
type Text struct {
	constant string
	builtin  bool
	run      run
	tmpl     *template.Template
}

// Text compiles src. Without "{{" it is a constant and costs nothing. builtins
// are names, such as "wecom.default", that stand for View.Builtin inside src
// unless the user's files define them. A name that is defined nowhere is an
// error.
func (t *Templates) CompileText(src string, builtins ...string) (*Text, error) {
	if !strings.Contains(src, "{{") {
		return &Text{constant: src}, nil
	}
	for _, name := range builtins {
		if t.defines(name) || !isCall(src, name) {
			continue
		}
		return &Text{builtin: true}, nil
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
	set.Option("missingkey=zero").Funcs(x.run.funcs())
	for _, name := range builtins {
		if set.Lookup(name) != nil {
			continue
		}
		if _, err := set.New(name).Parse("{{ " + builtinFunc + " }}"); err != nil {
			return nil, err
		}
	}
	if x.tmpl, err = set.New("").Parse(src); err != nil {
		return nil, err
	}
	return x, undefined(x.tmpl.Tree, func(name string) *parse.Tree {
		if found := x.tmpl.Lookup(name); found != nil {
			return found.Tree
		}
		return nil
	})
}

// isCall tells whether src is nothing but {{ template "name" . }}.
func isCall(src, name string) bool {
	src = strings.TrimSpace(src)
	src, opened := strings.CutPrefix(src, "{{")
	src, closed := strings.CutSuffix(src, "}}")
	words := strings.Fields(strings.Trim(src, "-"))
	return opened && closed && len(words) == 3 && words[0] == "template" && strings.Trim(words[1], "\"`") == name && words[2] == "."
}

// Builtin tells that the template is a call of the channel's built-in text and
// nothing else: the channel then lays the message out itself, and cuts it
// between alerts when it is too long.
func (x *Text) Builtin() bool { return x.builtin }

// Execute prints v through the template. An output above MaxOutput is an error.
func (x *Text) Execute(v *View) (string, error) {
	switch {
	case x.builtin:
		return v.builtin(), nil
	case x.tmpl == nil:
		return x.constant, nil
	}
	return x.run.execute(v, x.tmpl.Execute)
}
