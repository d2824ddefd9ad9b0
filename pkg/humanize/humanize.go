// Package humanize formats numbers and durations for messages to people.
package humanize

import (
	"strconv"
	"strings"
	"time"
)

// Int formats n in groups of three digits: 12,345.
func Int(n int64) string {
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

// The units of Duration, largest first.
var (
	unitSizes    = [...]time.Duration{24 * time.Hour, time.Hour, time.Minute, time.Second}
	chineseUnits = [...]string{" 天", " 小时", " 分钟", " 秒"}
	englishUnits = [...]string{"d", "h", "m", "s"}
)

// Duration formats d in its two largest units, of days, hours, minutes and
// seconds: "1h 5m" for the language "en", otherwise "1 小时 5 分钟". It rounds
// down, so that 59 seconds are never shown as a minute.
func Duration(d time.Duration, language string) string {
	units := &chineseUnits
	if language == "en" {
		units = &englishUnits
	}
	for i, size := range unitSizes {
		if d < size && size > time.Second {
			continue
		}
		s := strconv.FormatInt(int64(d/size), 10) + units[i]
		if i+1 < len(unitSizes) {
			if rest := d % size / unitSizes[i+1]; rest > 0 {
				s += " " + strconv.FormatInt(int64(rest), 10) + units[i+1]
			}
		}
		return s
	}
	return ""
}
