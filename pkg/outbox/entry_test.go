package outbox

import (
	"testing"
	"time"

	"tocsin/pkg/alert"
)

// Waits double from half a second, and none is longer than 5 min and a fifth.
func TestBackoff(t *testing.T) {
	for attempts, want := range map[int]time.Duration{
		1: 500 * time.Millisecond, 2: time.Second, 3: 2 * time.Second, 10: 256 * time.Second, 11: 5 * time.Minute, 50: 5 * time.Minute,
	} {
		got := backoff("id", attempts)
		if got < want || got > want+want/5 {
			t.Errorf("after attempt %d: %v, want %v and up to a fifth more", attempts, got, want)
		}
	}
	if backoff("id", 3) == backoff("other", 3) {
		t.Error("two notifications come back at the same moment")
	}
}

// What is owed fits the store's values, however many alerts it holds, and no
// alert is lost between the pieces.
func TestChunk(t *testing.T) {
	var alerts []*alert.Alert
	for i := range 3000 {
		alerts = append(alerts, &alert.Alert{Labels: alert.Labels{"n": string(rune('一' + i))}, Annotations: alert.Labels{"text": string(make([]byte, 1000))}})
	}
	var n int
	for _, piece := range splitBySize(alerts) {
		size := 0
		for _, a := range piece {
			if a != alerts[n] {
				t.Fatal("out of order")
			}
			size += textSize(a)
			n++
		}
		if size > maxEntrySize {
			t.Errorf("a piece of %d bytes", size)
		}
	}
	if n != len(alerts) {
		t.Errorf("%d alerts in the pieces, want %d", n, len(alerts))
	}
	if got := splitBySize(nil); len(got) != 1 {
		t.Errorf("no alerts: %d pieces, want 1", len(got))
	}
}
