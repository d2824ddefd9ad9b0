package humanize_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"tocsin/pkg/humanize"
)

func ExampleDuration() {
	d := 65*time.Minute + 59*time.Second
	fmt.Println(humanize.Duration(d, "en"))
	fmt.Println(humanize.Duration(d, "zh"))
	// Output:
	// 1h 5m
	// 1 小时 5 分钟
}

func TestInt(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0", 7: "7", 999: "999", 1000: "1,000", 12345: "12,345", 123456: "123,456", 1234567: "1,234,567",
		-1: "-1", -100: "-100", -1000: "-1,000", math.MaxInt64: "9,223,372,036,854,775,807", math.MinInt64: "-9,223,372,036,854,775,808",
	} {
		if got := humanize.Int(n); got != want {
			t.Errorf("Int(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestDuration(t *testing.T) {
	for d, want := range map[time.Duration]struct{ zh, en string }{
		0:                                {"0 秒", "0s"},
		999 * time.Millisecond:           {"0 秒", "0s"},
		time.Second:                      {"1 秒", "1s"},
		59 * time.Second:                 {"59 秒", "59s"},
		time.Minute:                      {"1 分钟", "1m"},
		90*time.Second + time.Nanosecond: {"1 分钟 30 秒", "1m 30s"},
		59*time.Minute + 59*time.Second:  {"59 分钟 59 秒", "59m 59s"},
		time.Hour + 30*time.Second:       {"1 小时", "1h"},
		26*time.Hour + 59*time.Minute:    {"1 天 2 小时", "1d 2h"},
		400*24*time.Hour + time.Minute:   {"400 天", "400d"},
	} {
		if got := humanize.Duration(d, "zh"); got != want.zh {
			t.Errorf("Duration(%v, zh) = %q, want %q", d, got, want.zh)
		}
		if got := humanize.Duration(d, "en"); got != want.en {
			t.Errorf("Duration(%v, en) = %q, want %q", d, got, want.en)
		}
	}
}
