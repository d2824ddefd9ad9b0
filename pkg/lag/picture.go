package lag

import (
	"cmp"
	"slices"
	"strconv"
	"time"

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
		if a.Annotations[lagAnnotation] != "" {
			about = append(about, a)
		}
	}
	if len(about) > maxPictures {
		slices.SortStableFunc(about, func(a, b *alert.Alert) int { return cmp.Compare(lagOf(b), lagOf(a)) })
		about = about[:maxPictures]
	}
	for _, a := range about {
		set(a.Annotations, historyAnnotation, history(w.History(a.Labels[groupLabel], a.Labels[topicLabel])))
	}
}

func lagOf(a *alert.Alert) int64 {
	n, _ := strconv.ParseInt(a.Annotations[lagAnnotation], 10, 64) // what is none comes last
	return n
}

// history prints a history as <unix seconds of the last value>/<step in
// seconds>:<value>,<value>,…, oldest first; a value that is not known is empty.
func history(h trend.History) string {
	values := h.Values[max(0, len(h.Values)-maxValues):]
	if !slices.ContainsFunc(values, func(v int64) bool { return v >= 0 }) {
		return ""
	}
	b := strconv.AppendInt(nil, h.Last.Unix(), 10)
	b = strconv.AppendInt(append(b, '/'), int64(h.Step/time.Second), 10)
	for i, v := range values {
		b = append(b, ':')
		if i > 0 {
			b[len(b)-1] = ','
		}
		if v >= 0 {
			b = strconv.AppendInt(b, v, 10)
		}
	}
	return string(b)
}
