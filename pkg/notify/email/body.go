package email

import (
	_ "embed"
	"fmt"
	"html/template"
	"slices"
	"strings"

	"tocsin/pkg/render"
)

// maxItems is how many alerts a mail lists: Gmail hides what is behind the first
// 102 kB of a mail.
const maxItems = 200

// body is what the built-in text and HTML are made of.
type body struct {
	Doc      *render.Document
	Items    []render.Item
	Notes    []string
	Figures  []figure
	Language string
	Colon    string
	Colour   template.CSS
}

// newBody takes the items that a mail has room for out of doc.
func newBody(doc *render.Document, language string, limit int) *body {
	b := &body{Doc: doc, Items: doc.Items, Notes: doc.Notes, Language: "zh-CN", Colon: "：", Colour: colour(doc.Resolved, doc.Severity)}
	left := "另有 %d 条未列出。"
	if language == "en" {
		b.Language, b.Colon, left = "en", ": ", "%d more are not listed."
	}
	if more := len(doc.Items) - limit; more > 0 {
		b.Items = doc.Items[:limit]
		b.Notes = append(slices.Clip(doc.Notes), fmt.Sprintf(left, more))
	}
	return b
}

// text is the body for readers without HTML.
func (b *body) text() string {
	var s strings.Builder
	line := func(parts ...string) { s.WriteString(strings.Join(parts, "") + "\n") }
	line(b.Doc.Title)
	if b.Doc.Lead != "" {
		line(b.Doc.Lead)
	}
	if len(b.Doc.Facts) > 0 {
		line()
		for _, f := range b.Doc.Facts {
			line(f.Name, b.Colon, f.Value)
		}
	}
	if len(b.Items) > 0 {
		line()
		for _, item := range b.Items {
			if item.Headline != "" {
				line("- ", item.Title, b.Colon, item.Headline)
			} else {
				line("- ", item.Title)
			}
			for _, f := range item.Fields {
				line("  ", f.Name, b.Colon, f.Value)
			}
		}
	}
	if len(b.Notes) > 0 {
		line()
		for _, note := range b.Notes {
			line(note)
		}
	}
	if len(b.Doc.Links) > 0 {
		line()
		for _, l := range b.Doc.Links {
			line(l.Name, b.Colon, l.URL)
		}
	}
	return s.String()
}

//go:embed layout.html
var layoutSource string

// newLayout compiles the built-in HTML.
func newLayout() (*template.Template, error) {
	return template.New("layout.html").Funcs(template.FuncMap{"colour": colour}).Parse(layoutSource)
}

// html is the body as most readers see it. Every value in it is escaped.
func (b *body) html(layout *template.Template) (string, error) {
	var s strings.Builder
	err := layout.Execute(&s, b)
	return s.String(), err
}

// colour marks how bad an alert is.
func colour(resolved bool, s render.Severity) template.CSS {
	switch {
	case resolved:
		return "#2e9e44"
	case s == render.Critical:
		return "#d93026"
	case s == render.Info:
		return "#1456f0"
	default:
		return "#ed7b0b"
	}
}
