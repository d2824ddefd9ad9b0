package lag

import (
	"cmp"
	"math"
	"slices"

	"tocsin/pkg/alert"
	"tocsin/pkg/lag/trend"
)

const (
	// maxPictures is how many alerts of a poll carry a history, those furthest
	// behind: of more than a message can show, all would be stored at each poll.
	maxPictures = 50
	// maxValues bounds a history.
	maxValues = 180
)

// draw adds the history of their lag to alerts.
func attachHistory(alerts []*alert.Alert, w *trend.Window) {
	var about []*alert.Alert
	for _, a := range alerts {
		if a.Annotations[alert.LagAnnotation] != "" {
			about = append(about, a)
		}
	}
	if len(about) > maxPictures {
		slices.SortStableFunc(about, func(a, b *alert.Alert) int { return cmp.Compare(lagOf(b), lagOf(a)) })
		about = about[:maxPictures]
	}
	for _, a := range about {
		a.Annotations.SetNonEmpty(alert.LagHistoryAnnotation, history(w.History(a.Labels[alert.GroupLabel], a.Labels[alert.TopicLabel])))
	}
}

func lagOf(a *alert.Alert) int64 {
	n, _ := alert.ParseCount(a.Annotations[alert.LagAnnotation]) // what is none comes last
	return n
}

// history formats the newest values of a history for the annotation.
func history(h trend.History) string {
	out := alert.LagHistory{Last: h.Last, Step: h.Step}
	for _, v := range h.Values[max(0, len(h.Values)-maxValues):] {
		if v < 0 {
			out.Values = append(out.Values, math.NaN())
		} else {
			out.Values = append(out.Values, float64(v))
		}
	}
	return out.String()
}
