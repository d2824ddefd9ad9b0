package trend

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

var t0 = time.Date(2024, 3, 1, 8, 0, 0, 0, time.UTC)

func minute(n float64) time.Time { return t0.Add(time.Duration(n * float64(time.Minute))) }

// partition reads "committed/end" or "committed/end/start"; "?" is not known.
func partition(id int32, text string) Partition {
	p := Partition{ID: id}
	if text == "?" {
		return p
	}
	n, err := fmt.Sscanf(text, "%d/%d/%d", &p.Committed, &p.End, &p.Start)
	if n < 2 {
		panic(fmt.Sprintf("%q: %v", text, err))
	}
	p.Lag, p.Known = max(0, p.End-max(p.Committed, p.Start)), true
	return p
}

// reads is a complete group that reads topic t, whose partitions are as in text;
// "-" is one that is not there.
func reads(name string, members Members, text string) Group {
	t := Topic{Name: "t"}
	for i, f := range strings.Fields(text) {
		if f != "-" {
			t.Partitions = append(t.Partitions, partition(int32(i), f))
		}
	}
	return Group{Name: name, Members: members, Complete: true, Topics: []Topic{t}}
}

// watched is a window that saw partition 0 of group g, a minute between polls;
// "!" is a poll that was missed.
func watched(members Members, polls string) *Window {
	w := &Window{}
	for i, f := range strings.Fields(polls) {
		if f != "!" {
			w.Add(minute(float64(i)), []Group{reads("g", members, f)}, true, true)
		}
	}
	return w
}

// stored is w as the next poll finds it.
func stored(t testing.TB, w *Window) *Window {
	t.Helper()
	chunks, err := w.Encode()
	if err != nil {
		t.Fatal(err)
	}
	w, err = Decode(chunks)
	if err != nil {
		t.Fatal(err)
	}
	return w
}
