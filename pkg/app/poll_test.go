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

// With dispatch.linger a group whose group_wait ends within the invocation is
// flushed within a second, and the invocation ends before the platform's deadline.
func TestPollUntilDeadline(t *testing.T) {
	for linger, want := range map[string]struct {
		ends  time.Duration
		waits bool // whether the group still waits
	}{
		"0s":  {0, true},
		"40s": {39 * time.Second, false},
		"5m":  {49 * time.Second, false}, // the platform's minute, less 10 s, and no round begun after that
	} {
		t.Run("linger "+linger, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				text := "dispatch: {linger: " + linger + "}\nroute: {receiver: none, group_wait: 30s}\nreceivers: [{name: none}]\n"
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
				if _, err := a.pollUntilDeadline(ctx, time.Now); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(begin); took != want.ends {
					t.Errorf("linger %s: got the end after %v, want %v", linger, took, want.ends)
				}
				next, err := a.engine.NextDue(t.Context())
				if waits := next.Equal(begin.Add(30 * time.Second)); err != nil || waits != want.waits {
					t.Errorf("linger %s: got group waiting %v (due in %v, error %v), want %v", linger, waits, next.Sub(begin), err, want.waits)
				}
			})
		})
	}
}
