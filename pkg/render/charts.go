package render

import (
	"cmp"
	"math"
	"strings"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/chart"
)

// minKnownValues is the number of known values that a chart needs to show more than
// the text does.
const minKnownValues = 5

// Chart is a chart of one alert's lag history.
type Chart struct {
	// Alt is the alternative text of the image.
	Alt string
	chart.Series
}

// Charts returns the charts of the first firing alerts that have a lag history, at
// most limit. A history that cannot be parsed, or with fewer than five known values,
// has no chart.
func (doc *Document) Charts(limit int) []Chart {
	var out []Chart
	d := doc.draft
	for _, e := range d.entries[:d.firing] {
		if len(out) == limit {
			break
		}
		h, err := alert.ParseLagHistory(e.Annotations[alert.LagHistoryAnnotation])
		if err != nil {
			continue
		}
		s := chart.Series{Last: h.Last, Step: h.Step, Values: h.Values, Threshold: math.NaN(), From: e.StartsAt, Zone: d.zone}
		if s.KnownValues() < minKnownValues {
			continue
		}
		if threshold, ok := alert.ParseNumber(e.Annotations[alert.ThresholdAnnotation]); ok {
			s.Threshold = threshold
		}
		place := strings.Join(distinctValues(e.Labels, []string{alert.GroupLabel, alert.TopicLabel}), " / ")
		s.Title = cmp.Or(place, CleanLine(e.Name(), maxName))
		span := time.Duration(len(s.Values)-1) * s.Step
		out = append(out, Chart{d.messages.chartAlt(s.Title, d.messages.duration(span)), s})
	}
	return out
}
