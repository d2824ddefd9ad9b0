package host

import (
	"slices"
	"time"
)

// ignored tells whether silence is not judged at now: in an ignored interval, and
// for the grace after one. Intervals begin and end at full minutes, so that
// looking back by minutes misses none.
func (w *Watcher) ignored(now time.Time) bool {
	within := func(t time.Time) bool {
		return slices.ContainsFunc(w.Inventory.ignore, func(name string) bool { return w.InTimeInterval(name, t) })
	}
	grace := w.Inventory.grace
	for back := time.Duration(0); back < grace; back += time.Minute {
		if within(now.Add(-back)) {
			return true
		}
	}
	return within(now.Add(-grace))
}
