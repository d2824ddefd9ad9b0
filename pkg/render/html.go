package render

import (
	"html/template"
	"strings"
	"text/template/parse"
)

// HTML is a template of an HTML document: values are escaped for the place in
// which they stand. It may be used by several goroutines.
type HTML struct {
	constant string
	run      run
	tmpl     *template.Template
}

// HTML compiles src as Text does.
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
	set.Option("missingkey=zero").Funcs(x.run.funcs())
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

// Execute prints v through the template. An output above MaxOutput is an error.
func (x *HTML) Execute(v *View) (string, error) {
	if x.tmpl == nil {
		return x.constant, nil
	}
	return x.run.execute(v, x.tmpl.Execute)
}
