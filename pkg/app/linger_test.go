package app

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/config"
)

// A function that lingers says an alert whose group_wait ends within its call,
// within a second of that, and leaves in time before the platform's deadline.
func TestLinger(t *testing.T) {
	for linger, want := range map[string]struct {
		ends time.Duration
		owed bool // whether the group still waits
	}{
		"0s":  {0, true},
		"40s": {39 * time.Second, false},
		"5m":  {49 * time.Second, false}, // the platform's minute, less 10 s, and no round begun after that
	} {
		synctest.Test(t, func(t *testing.T) {
			text := "dispatch: {linger: " + linger + "}\nroute: {receiver: nobody, group_wait: 30s}\nreceivers: [{name: nobody}]\n"
			cfg, _, err := config.Parse("t.yaml", []byte(text), func(string) (string, bool) { return "", false })
			if err != nil {
				t.Fatal(err)
			}
			a, err := New(t.Context(), cfg, Options{Store: "memory:", Log: slog.New(slog.DiscardHandler), Now: time.Now})
			if err != nil {
				t.Fatal(err)
			}
			defer a.Close()
			begin := time.Now()
			err = a.engine.Ingest(t.Context(), begin, []*alert.Alert{{Labels: alert.Labels{"alertname": "A"}, StartsAt: begin}})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithDeadline(t.Context(), begin.Add(time.Minute))
			defer cancel()
			if _, err := a.linger(ctx, time.Now); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(begin); took != want.ends {
				t.Errorf("linger %s: ended after %v, want %v", linger, took, want.ends)
			}
			next, err := a.engine.NextDue(t.Context())
			if waits := next.Equal(begin.Add(30 * time.Second)); err != nil || waits != want.owed {
				t.Errorf("linger %s: the group is due in %v, %v", linger, next.Sub(begin), err)
			}
		})
	}
}
