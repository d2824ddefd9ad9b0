package render

import "time"

// moment prints t as compactly as a reader at the time now needs it: the year
// only if it is another one.
func moment(t, now time.Time, zone *time.Location) string {
	t = t.In(zone)
	if t.Year() != now.In(zone).Year() {
		return t.Format("2006-01-02 15:04:05")
	}
	return t.Format("01-02 15:04:05")
}
