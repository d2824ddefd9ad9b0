package lag

import (
	"fmt"
	"slices"
	"strings"

	"tocsin/pkg/humanize"
	"tocsin/pkg/lag/trend"
)

// firing is the summary of an alert that fires: what each condition of its rule
// found, and the lag.
func (w *messages) firing(r *Rule, group, topic string, d *TemplateData) string {
	lag, limit := humanize.Int(d.Lag), humanize.Int(d.Threshold)
	if r.onlyLag() {
		return fmt.Sprintf(w.over, group, topic, lag, limit)
	}
	var found []string
	if r.Lost && d.Lost > 0 {
		found = append(found, fmt.Sprintf(w.lost, humanize.Int(d.Lost)))
	}
	if state := trend.State(d.Status); slices.Contains(r.Status, state) {
		found = append(found, w.states[state])
	}
	if r.MaxDelay > 0 && d.Delay > 0 {
		found = append(found, fmt.Sprintf(w.oldest, humanize.Duration(d.Delay.Std(), w.language), humanize.Duration(r.MaxDelay.Std(), w.language)))
	}
	if r.GrowingFor > 0 && d.GrowingFor > 0 {
		found = append(found, fmt.Sprintf(w.grows, humanize.Duration(d.GrowingFor.Std(), w.language)))
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
		return fmt.Sprintf(w.under, group, topic, humanize.Int(d.Lag), humanize.Int(d.Threshold))
	}
	return fmt.Sprintf(w.fine, group, topic, humanize.Int(d.Lag))
}

// onlyLag tells that the rule judges by count alone.
func (r *Rule) onlyLag() bool {
	return r.MaxLag != nil && r.MaxDelay == 0 && len(r.Status) == 0 && r.GrowingFor == 0 && !r.Lost
}
