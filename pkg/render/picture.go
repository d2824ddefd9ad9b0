package render

import (
	"cmp"
	"math"
	"strings"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/chart"
)

// fewest is how many values of a history must be known: a chart of fewer tells
// nothing that the text does not.
const fewest = 5

// Picture is a chart of what one alert is about.
type Chart struct {
	// Alt says what it shows, for those who do not see it.
	Alt string
	chart.Series
}

// Pictures returns the charts of those alerts that fire and carry their history,
// the first in reading order and at most so many. A history that is spoiled, or in
// which less than five values are known, gives none.
func (doc *Document) Charts(most int) []Chart {
	var out []Chart
	d := doc.draft
	for _, e := range d.entries[:d.firing] {
		if len(out) == most {
			break
		}
		text, found := e.Annotations[alert.LagHistoryAnnotation]
		if !found {
			continue
		}
		h, err := alert.ParseLagHistory(text)
		if err != nil {
			continue
		}
		s := chart.Series{Last: h.Last, Step: h.Step, Values: h.Values, Threshold: math.NaN()}
		if s.KnownValues() < fewest {
			continue
		}
		if limit, ok := alert.ParseNumber(e.Annotations[alert.ThresholdAnnotation]); ok {
			s.Threshold = limit
		}
		where := strings.Join(values(e.Labels, []string{alert.GroupLabel, alert.TopicLabel}), " / ")
		s.Title = cmp.Or(where, CleanLine(e.Name(), maxName))
		s.From, s.Zone = e.StartsAt, d.zone
		span := time.Duration(len(s.Values)-1) * s.Step
		out = append(out, Chart{d.words.picture(s.Title, d.words.duration(span)), s})
	}
	return out
}
