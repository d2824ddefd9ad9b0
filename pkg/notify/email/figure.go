package email

import (
	"fmt"

	"tocsin/pkg/chart"
	"tocsin/pkg/render"
)

// maxFigures is how many charts a mail has.
const maxFigures = 3

// figure is a chart inside the HTML.
type figure struct {
	render.Chart
	// ID is what the HTML refers to it by (RFC 2392), and Name what a reader may
	// save it as.
	ID, Name string
	png      []byte
}

// newFigures returns the charts of the worst alerts that have one, not yet drawn.
func (m *mailer) newFigures(doc *render.Document, l *letter) []figure {
	var out []figure
	for i, p := range doc.Charts(m.figures) {
		name := fmt.Sprintf("chart-%d.png", i+1)
		out = append(out, figure{Chart: p, ID: digest(l.id, name) + "@" + domain(l.from.Address), Name: name})
	}
	return out
}

// drawn returns the charts with their pictures. One that cannot be drawn is left
// out: what it would have shown stands in its place in words.
func drawn(figures []figure) []figure {
	var out []figure
	for _, f := range figures {
		var err error
		if f.png, err = chart.PNG(f.Series); err == nil {
			out = append(out, f)
		}
	}
	return out
}
