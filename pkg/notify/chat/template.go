package chat

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"tocsin/pkg/notify"
	"tocsin/pkg/render"
)

// Compiler compiles the templates of one configuration entry.
type Compiler struct{ render.Compiler }

// NewCompiler returns a compiler of templates that may use those of t.
func NewCompiler(t *render.Templates) *Compiler { return &Compiler{render.Compiler{Templates: t}} }

// Message compiles the template of a message, of which "" stands for the built-in
// one. builtin is the name by which a template can include the built-in message,
// such as "wecom.default".
func (c *Compiler) Message(key, src, builtin string) *Template {
	if src == "" {
		src = `{{ template "` + builtin + `" . }}`
	}
	text, err := c.CompileMarked(src, builtin)
	c.Add(err, key)
	return &Template{key: key, text: text}
}

// Line compiles the template of a text of one line; "" is the built-in one.
func (c *Compiler) Line(key, src string) *Template {
	t := &Template{key: key}
	if src != "" {
		t.text = c.Marked(src, key)
	}
	return t
}

// Mentions compiles a list of templates of names, which only firing alerts mention.
func (c *Compiler) Mentions(srcs []string, path ...any) *Mentions {
	own := render.Compiler{Templates: c.FiringOnly()}
	m := &Mentions{path: path, texts: make([]*render.Text, len(srcs))}
	for i, src := range srcs {
		m.texts[i] = own.Marked(src, append(path[:len(path):len(path)], i)...)
	}
	c.Join(&own)
	return m
}

// Address compiles the template of an address, which holds a secret: its error does not
// show where the fault is.
func (c *Compiler) Address(key, src string) *Address {
	text, err := c.CompileURL(src)
	if err != nil {
		err = errors.New("the template is wrong: check its braces, its fields and its functions (it is a secret, so the place is not shown)")
	}
	c.Add(err, key)
	return &Address{key: key, text: text, templated: strings.Contains(src, "{{")}
}

// Template is a user's own wording of a message, or of a line of it.
type Template struct {
	key  string
	text *render.Text // nil for the built-in line
}

var errEmpty = errors.New("it prints nothing")

// Execute prints a message. It returns "" when the built-in message is to be sent:
// because the template asks for it, or because the template fails or prints
// nothing, which a note in doc reports. An alert must not be lost over its wording.
func (t *Template) Execute(doc *render.Document, v *render.View) string {
	if t.text.Builtin() {
		return ""
	}
	text, err := t.text.Execute(v)
	if text = render.CleanText(render.Unmark(text, maskEverybody)); err == nil && text == "" {
		err = errEmpty
	}
	if err != nil {
		doc.AddTemplateError(fmt.Errorf("%s: %w", t.key, err))
		return ""
	}
	return text
}

// ExecuteLine prints a text of one line and at most limit bytes. It returns
// builtin when there is no template, when it prints nothing, and when it fails,
// which a note in doc reports.
func (t *Template) ExecuteLine(doc *render.Document, v *render.View, limit int, builtin string) string {
	if t.text == nil {
		return builtin
	}
	s, err := t.text.Execute(v)
	if err != nil {
		doc.AddTemplateError(fmt.Errorf("%s: %w", t.key, err))
		return builtin
	}
	if s = render.CleanLine(render.Unmark(s, maskEverybody), limit); s == "" {
		return builtin
	}
	return s
}

// everybody matches a value that means all members, behind the markup of a mention.
var everybody = regexp.MustCompile(`^(?i)[!@="' ]*(all|here|channel|everyone)\b`)

// maskEverybody returns a value that a template prints after before. Where the template
// opens a mention, such as "<at id=", "<!" or "@", a word for all members gets a full-width
// letter: only the template itself can mention everybody.
func maskEverybody(before, value string) string {
	word := everybody.FindStringSubmatchIndex(value)
	if word == nil { // before may be long, and there is one for each value
		return value
	}
	before = strings.TrimRight(before, " ")
	inTag := strings.LastIndexByte(before, '<') > strings.LastIndexByte(before, '>')
	if !strings.HasSuffix(before, "@") && (!inTag || strings.IndexByte(`<!@="'`, before[len(before)-1]) < 0) {
		return value
	}
	first := rune(value[word[2]]) - '!' + '！' // the full-width form
	return value[:word[2]] + string(first) + value[word[2]+1:]
}

// EscapedView returns the view that message templates print: labels and annotations
// are escaped by d, and builtin makes the text that the name of the built-in
// template stands for.
func EscapedView(v *render.View, d Dialect, builtin func() string) *render.View {
	escaped := v.Escape(d.Value, d.URL)
	escaped.Builtin = builtin
	return escaped
}

// Address is a webhook address, of which a part may be a template.
type Address struct {
	key       string
	text      *render.Text
	templated bool
}

// Execute returns the address for a notification. Values of alerts are percent-encoded,
// and cannot make a part of the path "." or "..", even for a server that decodes "%2F"
// first. The error is permanent and shows no part of the address.
func (a *Address) Execute(v *render.View) (string, error) {
	address, err := a.text.Execute(v)
	if err != nil {
		return "", &notify.Error{Class: notify.Permanent, Message: "the template under " + a.key + " failed"}
	}
	if a.templated && hasDotSegment(address) {
		return "", &notify.Error{Class: notify.Permanent, Message: "the template under " + a.key + ` prints "." or ".." as a part of the path`}
	}
	return address, nil
}

func hasDotSegment(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false // no request can be made
	}
	isSeparator := func(r rune) bool { return r == '/' || r == '\\' }
	return slices.ContainsFunc(strings.FieldsFunc(u.Path, isSeparator), func(s string) bool { return s == "." || s == ".." })
}

// Mentions are the templates of the people that a message mentions.
type Mentions struct {
	path  []any
	texts []*render.Text
}

// Execute returns the names that the templates print, each once, in order. A template
// may print several, separated by commas, semicolons, "|" or white space. parse returns
// a name in the vendor's form and reports whether it is valid: only a name of the
// configuration's own may be everybody. Invalid names are left
// out, and so is a template that fails, which a note in doc reports: the alert is sent
// without that mention.
func (m *Mentions) Execute(doc *render.Document, v *render.View, parse func(render.Name) (string, bool)) []string {
	var out []string
	seen := map[string]bool{}
	for i, t := range m.texts {
		text, err := t.Execute(v)
		if err != nil {
			doc.AddTemplateError(&render.KeyError{Path: append(m.path[:len(m.path):len(m.path)], i), Err: err})
			continue
		}
		for _, word := range render.SplitNames(text) {
			if name, ok := parse(word); ok && !seen[name] {
				seen[name] = true
				out = append(out, name)
			}
		}
	}
	return out
}
