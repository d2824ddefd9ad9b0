package lag

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/setting"
)

var t0 = time.Date(2024, 3, 1, 8, 0, 0, 0, time.UTC)

func at(minutes float64) time.Time { return t0.Add(time.Duration(minutes * float64(time.Minute))) }

func ptr(n int64) *int64 { return &n }

func pattern(t testing.TB, text string) setting.Pattern {
	t.Helper()
	p, err := setting.NewPattern(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func texts(t testing.TB, pairs ...string) map[string]setting.Template {
	t.Helper()
	m := map[string]setting.Template{}
	for i := 0; i < len(pairs); i += 2 {
		tmpl, err := setting.NewTemplate(pairs[i+1])
		if err != nil {
			t.Fatal(err)
		}
		m[pairs[i]] = tmpl
	}
	return m
}

// topic builds a topic from the lags of its partitions; "?" could not be read, and
// in "-" nothing was committed.
func topic(name, lags string) Topic {
	tp := Topic{Name: name}
	for i, f := range strings.Fields(lags) {
		p := Partition{ID: int32(i), Reason: "error 3"}
		if f == "-" {
			p.Reason = NoCommit
		}
		if n, err := strconv.ParseInt(f, 10, 64); err == nil {
			p = Partition{ID: int32(i), Committed: 100, End: 100 + n, Lag: n, Known: true}
		}
		tp.Partitions = append(tp.Partitions, p)
	}
	return tp
}

// whole is a complete group, and all a complete snapshot.
func whole(name string, topics ...Topic) Group {
	return Group{Name: name, Topics: topics, Complete: true}
}

func all(groups ...Group) *Snapshot { return &Snapshot{Groups: groups, Complete: true} }

// brief prints alerts as one line each: what it is of, since when, and how it is.
func brief(alerts []*alert.Alert) string {
	var lines []string
	for _, a := range alerts {
		line := a.Name()
		for _, name := range []string{alert.GroupLabel, alert.TopicLabel} {
			if v := a.Labels[name]; v != "" {
				line += " " + v
			}
		}
		line += " since " + a.StartsAt.Format("15:04:05")
		if a.EndsAt.IsZero() {
			line += " firing"
		} else {
			line += " ended " + a.EndsAt.Format("15:04:05")
		}
		if lag, ok := a.Annotations[alert.LagAnnotation]; ok {
			line += " lag=" + lag
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

func lagRule(maxLag int64) Rule { return Rule{Alert: "Lag", MaxLag: ptr(maxLag)} }
