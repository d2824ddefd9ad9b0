package tencent

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestRetry(t *testing.T) {
	temporary := &Error{Kind: Network, Temporary: true}
	rate := &Error{Kind: Rate, Temporary: true}
	permanent := &Error{Kind: Permission}
	other := errors.New("other")
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	tests := []struct {
		name        string
		deadline    time.Duration // 0 is none
		results     []error       // of the calls
		calls       int
		err         error
		least, most time.Duration
	}{
		{name: "success", results: []error{nil}, calls: 1},
		{name: "one temporary error", results: []error{temporary, nil}, calls: 2, least: ms(200), most: ms(400)},
		{name: "two temporary errors", results: []error{temporary, temporary, nil}, calls: 3, least: ms(600), most: ms(1200)},
		{name: "three temporary errors", results: []error{temporary, temporary, temporary}, calls: 3, err: temporary, least: ms(600), most: ms(1200)},
		{name: "too many requests", results: []error{rate, nil}, calls: 2, least: ms(1200), most: ms(1400)},
		{name: "permanent error", results: []error{permanent}, calls: 1, err: permanent},
		{name: "temporary, then permanent error", results: []error{temporary, permanent}, calls: 2, err: permanent, least: ms(200), most: ms(400)},
		{name: "error of another type", results: []error{other}, calls: 1, err: other},
		{name: "no time for a wait", deadline: ms(200), results: []error{temporary}, calls: 1, err: temporary},
		{name: "no time for a second wait", deadline: ms(600), results: []error{temporary, temporary}, calls: 2, err: temporary, least: ms(200), most: ms(400)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, start, calls := t.Context(), time.Now(), 0
				if tt.deadline > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, tt.deadline)
					defer cancel()
				}
				err := Retry(ctx, func(context.Context) error { calls++; return tt.results[calls-1] })
				if calls != tt.calls || err != tt.err {
					t.Errorf("Retry made %d calls and returned %v, want %d and %v", calls, err, tt.calls, tt.err)
				}
				if took := time.Since(start); took < tt.least || took > tt.most {
					t.Errorf("took %v, want %v to %v", took, tt.least, tt.most)
				}
			})
		})
	}
}

func TestRetryEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		start := time.Now()
		temporary := &Error{Temporary: true}
		time.AfterFunc(50*time.Millisecond, cancel)
		if err := Retry(ctx, func(context.Context) error { return temporary }); err != temporary {
			t.Errorf("error = %v, want %v", err, temporary)
		}
		if took := time.Since(start); took != 50*time.Millisecond {
			t.Errorf("took %v, want 50ms", took)
		}
	})
}

func TestLimiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, start := NewLimiter(50, 40), time.Now()
		admit := func(n int) time.Duration {
			for range n {
				if err := l.Wait(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			return time.Since(start)
		}
		for _, step := range []struct {
			n    int
			want time.Duration
		}{
			{40, 0},                       // the burst
			{1, 20 * time.Millisecond},    // then one every 20 ms
			{49, 1000 * time.Millisecond}, // 90 in the first second
			{50, 2000 * time.Millisecond}, // 50 in each second after it
		} {
			if got := admit(step.n); got != step.want {
				t.Errorf("%d more requests were admitted by %v, want %v", step.n, got, step.want)
			}
		}
		<-time.After(time.Hour)
		if got := admit(40); got != time.Hour+2*time.Second {
			t.Errorf("a burst after a pause ended at %v, want %v", got, time.Hour+2*time.Second)
		}
	})
}

func TestLimiterRespectsTheDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, start := NewLimiter(1, 1), time.Now()
		if err := l.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		for range 3 {
			if err := l.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("error = %v, want %v", err, context.DeadlineExceeded)
			}
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("returned after %v, want 0s", took)
		}
		// The requests that were not admitted do not count.
		if err := l.Wait(t.Context()); err != nil || time.Since(start) != time.Second {
			t.Errorf("the next request was admitted after %v with error %v, want 1s and none", time.Since(start), err)
		}
		cancel()
		if err := l.Wait(ctx); err == nil {
			t.Error("error = nil for a context that has ended, want one")
		}
	})
}
