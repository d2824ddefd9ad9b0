package email

import (
	_ "embed"
	"fmt"
	"html/template"
	"slices"
	"strings"

	"tocsin/pkg/chart"
	"tocsin/pkg/render"
)

const (
	// maxItems is how many alerts a mail lists: Gmail hides what follows the first
	// 102 kB of a mail.
	maxItems = 200
	// maxCharts is how many charts a mail has.
	maxCharts = 3
)

// body is the built-in message, as the data of layout.html.
type body struct {
	Doc      *render.Document
	Items    []render.Item
	Notes    []string
	Charts   []chartImage
	Language string
	Color    template.CSS
}

// newBody returns the message of doc with at most limit of its items.
func newBody(doc *render.Document, language string, limit int) *body {
	b := &body{Doc: doc, Items: doc.Items, Notes: doc.Notes, Language: "zh-CN", Color: color(doc.Resolved, doc.Severity)}
	rest := "另有 %d 条未列出。"
	if language == "en" {
		b.Language, rest = "en", "%d more are not listed."
	}
	if more := len(doc.Items) - limit; more > 0 {
		b.Items = doc.Items[:limit]
		b.Notes = append(slices.Clip(doc.Notes), fmt.Sprintf(rest, more))
	}
	return b
}

// text returns the body for readers without HTML.
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
			line(f.Name, b.Doc.Colon, f.Value)
		}
	}
	if len(b.Items) > 0 {
		line()
		for _, item := range b.Items {
			if item.Headline != "" {
				line("- ", item.Title, b.Doc.Colon, item.Headline)
			} else {
				line("- ", item.Title)
			}
			for _, f := range item.Fields {
				line("  ", f.Name, b.Doc.Colon, f.Value)
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
			line(l.Name, b.Doc.Colon, l.URL)
		}
	}
	return s.String()
}

//go:embed layout.html
var layoutSource string

// newLayout compiles the built-in HTML, which escapes every value.
func newLayout() (*template.Template, error) {
	return template.New("layout.html").Funcs(template.FuncMap{"color": color}).Parse(layoutSource)
}

func (b *body) html(layout *template.Template) (string, error) {
	var s strings.Builder
	err := layout.Execute(&s, b)
	return s.String(), err
}

// color returns the color of an alert's state and severity.
func color(resolved bool, s render.Severity) template.CSS {
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

// chartImage is a chart inside the HTML.
type chartImage struct {
	render.Chart
	// ID is the Content-ID by which the HTML refers to the image (RFC 2392), and
	// Name the name under which a reader may save it.
	ID, Name string
	png      []byte
}

// newCharts returns the charts of the worst alerts that have one, at most limit, as
// parts of the mails of message m. They have no images yet.
func newCharts(doc *render.Document, limit int, m *renderedMessage) []chartImage {
	var out []chartImage
	for i, c := range doc.Charts(limit) {
		name := fmt.Sprintf("chart-%d.png", i+1)
		out = append(out, chartImage{Chart: c, ID: hash(m.id, name) + "@" + domain(m.from.Address), Name: name})
	}
	return out
}

// withImages returns the charts with their images. A chart that cannot be drawn is
// left out; its alternative text appears in the HTML.
func withImages(charts []chartImage) []chartImage {
	var out []chartImage
	for _, c := range charts {
		var err error
		if c.png, err = chart.PNG(c.Series); err == nil {
			out = append(out, c)
		}
	}
	return out
}
