package dispatch_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"tocsin/pkg/store/keyspace"
	"tocsin/pkg/store/storetest"
)

// TestSlowStore has 200 groups due while every command of the store takes 200 ms or
// more: each tick ends before its deadline, sends for as long as it can, and leaves
// nothing leased, so that the next one goes on.
func TestSlowStore(t *testing.T) {
	for _, test := range []struct {
		command, deadline time.Duration
		atLeast           int // sent by the first tick
		ticks             int // until all are sent
	}{
		{200 * time.Millisecond, time.Minute, 200, 1},
		{200 * time.Millisecond, 30 * time.Second, 70, 3},
		{200 * time.Millisecond, 10 * time.Second, 15, 12},
		{time.Second, time.Minute, 15, 12},
	} {
		t.Run(fmt.Sprintf("%v a command, %v", test.command, test.deadline), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e, c := newChannelEnv(t, newRouteByTopic())
				e.fire(at(0), numbered("t", 200)...)
				// A command that was begun is done, however late its answer comes.
				e.intercept(func(ctx context.Context, _ storetest.Op, do func() error) error {
					if ctx.Err() != nil {
						return ctx.Err()
					}
					time.Sleep(test.command)
					return do()
				})
				sent := 0
				for i := range test.ticks {
					ctx, cancel := context.WithTimeout(t.Context(), test.deadline)
					begin := time.Now()
					sum, err := e.engine.Tick(ctx, at(float64(60*i)))
					if err != nil {
						t.Errorf("tick %d: got %v, want no error", i, err)
					}
					if took := time.Since(begin); took >= test.deadline {
						t.Errorf("tick %d: got the end after %v, want less than %v", i, took, test.deadline)
					}
					cancel()
					sent += sum.Sent
					if i == 0 && sent < test.atLeast {
						t.Errorf("got %d sent by the first tick, want at least %d", sent, test.atLeast)
					}
					pending, err := e.store.List(t.Context(), keyspace.Outbox, "", 1000)
					if err != nil {
						t.Fatal(err)
					}
					for _, it := range pending {
						if it.Due.After(at(float64(60 * i)).Add(test.deadline)) {
							t.Errorf("tick %d: got a notification that is leased until %v, want none", i, it.Due.Sub(t0))
						}
						if text := string(it.Value); strings.Contains(text, `"attempting":true`) {
							t.Errorf("tick %d: got a notification that is being attempted, want none", i)
						}
					}
				}
				if got := len(c.Take()); got != 200 || sent != 200 {
					t.Errorf("got %d notifications, %d of them counted, want each of 200 once", got, sent)
				}
			})
		})
	}
}
