package lag

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"tocsin/pkg/lag/trend"
)

// firing is the summary of an alert that fires: what each condition of its rule
// found, and the lag.
func (w *messages) firing(r *Rule, group, topic string, d *TemplateData) string {
	lag, limit := thousands(d.Lag), thousands(d.Threshold)
	if r.onlyLag() {
		return fmt.Sprintf(w.over, group, topic, lag, limit)
	}
	var found []string
	if r.Lost && d.Lost > 0 {
		found = append(found, fmt.Sprintf(w.lost, thousands(d.Lost)))
	}
	if state := trend.State(d.Status); slices.Contains(r.Status, state) {
		found = append(found, w.states[state])
	}
	if r.MaxDelay > 0 && d.Delay > 0 {
		found = append(found, fmt.Sprintf(w.oldest, w.span(d.Delay.Std()), w.span(r.MaxDelay.Std())))
	}
	if r.GrowingFor > 0 && d.GrowingFor > 0 {
		found = append(found, fmt.Sprintf(w.grows, w.span(d.GrowingFor.Std())))
	}
	if r.MaxLag != nil {
		found = append(found, fmt.Sprintf(w.leftLimit, lag, limit))
	} else {
		found = append(found, fmt.Sprintf(w.left, lag))
	}
	return fmt.Sprintf(w.trouble, group, topic, strings.Join(found, w.separator))
}

// ended is the summary of an alert that is over.
func (w *messages) ended(r *Rule, group, topic string, d *TemplateData) string {
	if r.onlyLag() {
		return fmt.Sprintf(w.under, group, topic, thousands(d.Lag), thousands(d.Threshold))
	}
	return fmt.Sprintf(w.fine, group, topic, thousands(d.Lag))
}

// onlyLag tells that the rule judges by count alone.
func (r *Rule) onlyLag() bool {
	return r.MaxLag != nil && r.MaxDelay == 0 && len(r.Status) == 0 && r.GrowingFor == 0 && !r.Lost
}

// span prints d in its two largest units, cut and not rounded.
func (w *messages) span(d time.Duration) string {
	sizes := [...]time.Duration{24 * time.Hour, time.Hour, time.Minute, time.Second}
	for i, size := range sizes {
		if d < size && size > time.Second {
			continue
		}
		s := strconv.FormatInt(int64(d/size), 10) + w.units[i]
		if i+1 < len(sizes) && d%size >= sizes[i+1] {
			s += " " + strconv.FormatInt(int64(d%size/sizes[i+1]), 10) + w.units[i+1]
		}
		return s
	}
	return ""
}
