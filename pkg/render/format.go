package render

import (
	"strconv"
	"strings"
	"time"
)

// number prints n in groups of three digits: 12,345.
func number(n int64) string {
	digits := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, digits = "-", digits[1:]
	}
	var b strings.Builder
	b.WriteString(sign)
	for i, d := range []byte(digits) {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteByte(d)
	}
	return b.String()
}

// twoUnits prints d in its two largest units, cut and not rounded: an alert of
// 59 seconds has not lasted a minute. The units are days, hours, minutes and
// seconds.
func twoUnits(d time.Duration, units [4]string) string {
	sizes := [...]time.Duration{24 * time.Hour, time.Hour, time.Minute, time.Second}
	for i, size := range sizes {
		if d < size && size > time.Second {
			continue
		}
		s := strconv.FormatInt(int64(d/size), 10) + units[i]
		if i+1 < len(sizes) {
			if rest := d % size / sizes[i+1]; rest > 0 {
				s += " " + strconv.FormatInt(int64(rest), 10) + units[i+1]
			}
		}
		return s
	}
	return ""
}

// moment prints t as compactly as a reader at the time now needs it: the year
// only if it is another one.
func moment(t, now time.Time, zone *time.Location) string {
	t = t.In(zone)
	if t.Year() != now.In(zone).Year() {
		return t.Format("2006-01-02 15:04:05")
	}
	return t.Format("01-02 15:04:05")
}
