package render

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"tocsin/pkg/chart"
)

// historyAnnotation holds what an alert's chart is drawn from, in the form that
// chart.Parse reads. It is nothing to read: no text shows it, and templates do not
// see it.
const historyAnnotation = "lag_history"

// fewest is how many values of a history must be known: a chart of fewer tells
// nothing that the text does not.
const fewest = 5

// Picture is a chart of what one alert is about.
type Picture struct {
	// Alt says what it shows, for those who do not see it.
	Alt string
	chart.Series
}

// Pictures returns the charts of those alerts that fire and carry their history,
// the first in reading order and at most so many. A history that is spoiled, or in
// which less than five values are known, gives none.
func (doc *Doc) Pictures(most int) []Picture {
	var out []Picture
	d := doc.draft
	for _, e := range d.entries[:d.firing] {
		if len(out) == most {
			break
		}
		text, told := e.Annotations[historyAnnotation]
		if !told {
			continue
		}
		s, err := chart.Parse(text)
		if err != nil || s.KnownValues() < fewest {
			continue
		}
		if limit, err := strconv.ParseFloat(e.Annotations["threshold"], 64); err == nil {
			s.Threshold = limit
		}
		where := strings.Join(values(e.Labels, []string{"consumer_group", "topic"}), " / ")
		s.Title = cmp.Or(where, Clean(e.Name(), maxName))
		s.From, s.Zone = e.StartsAt, d.zone
		span := time.Duration(len(s.Values)-1) * s.Step
		out = append(out, Picture{d.words.picture(s.Title, d.words.duration(span)), s})
	}
	return out
}
