package lag

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/lag/trend"
	"tocsin/pkg/store/memory"
)

func TestHistoryText(t *testing.T) {
	last := time.Unix(1_700_000_000, 0)
	long := make([]int64, 200)
	for i := range long {
		long[i] = int64(i)
	}
	for _, tt := range []struct {
		values []int64
		want   string
	}{
		{nil, ""},
		{[]int64{-1, -1}, ""},
		{[]int64{5}, "1700000000/60:5"},
		{[]int64{1200, -1, 1300}, "1700000000/60:1200,,1300"},
		{[]int64{-1, 0, -1}, "1700000000/60:,0,"},
	} {
		if got := lagHistory(trend.History{Last: last, Step: time.Minute, Values: tt.values}); got != tt.want {
			t.Errorf("%v: %q, want %q", tt.values, got, tt.want)
		}
	}
	got := lagHistory(trend.History{Last: last, Step: time.Minute, Values: long})
	if n := strings.Count(got, ",") + 1; n != 180 || !strings.HasPrefix(got, "1700000000/60:20,") || !strings.HasSuffix(got, ",199") {
		t.Errorf("%d values: %s", n, got)
	}
}

// Of a flood of alerts only those furthest behind carry a history.
func TestHistoryOfAFlood(t *testing.T) {
	snap := all(whole("g"))
	for i := range 60 {
		snap.Groups[0].Topics = append(snap.Groups[0].Topics, topic(fmt.Sprintf("t%02d", i), fmt.Sprint(3000+i)))
	}
	e := &ear{}
	mustPoll(t, watcher(memory.New(), e, map[string]Reader{"c": sees(snap)}), 0)
	var with []string
	for _, a := range e.words {
		if a.Annotations["lag_history"] != "" {
			with = append(with, a.Labels["topic"])
		}
	}
	slices.Sort(with)
	if len(with) != 50 || with[0] != "t10" || with[49] != "t59" {
		t.Errorf("%d: %v", len(with), with)
	}
}
