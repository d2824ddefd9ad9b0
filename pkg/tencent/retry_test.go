package tencent

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestRetry(t *testing.T) {
	passing := &Error{Kind: Network, Temporary: true}
	rate := &Error{Kind: Rate, Temporary: true}
	lasting := &Error{Kind: Permission}
	foreign := errors.New("foreign")
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	tests := []struct {
		name        string
		deadline    time.Duration // 0 is none
		answers     []error
		calls       int
		err         error
		least, most time.Duration
	}{
		{name: "success", answers: []error{nil}, calls: 1},
		{name: "passing once", answers: []error{passing, nil}, calls: 2, least: ms(200), most: ms(400)},
		{name: "passing twice", answers: []error{passing, passing, nil}, calls: 3, least: ms(600), most: ms(1200)},
		{name: "passing for too long", answers: []error{passing, passing, passing}, calls: 3, err: passing, least: ms(600), most: ms(1200)},
		{name: "too many requests", answers: []error{rate, nil}, calls: 2, least: ms(1200), most: ms(1400)},
		{name: "lasting", answers: []error{lasting}, calls: 1, err: lasting},
		{name: "passing, then lasting", answers: []error{passing, lasting}, calls: 2, err: lasting, least: ms(200), most: ms(400)},
		{name: "another error", answers: []error{foreign}, calls: 1, err: foreign},
		{name: "no time for a wait", deadline: ms(200), answers: []error{passing}, calls: 1, err: passing},
		{name: "no time for a second wait", deadline: ms(600), answers: []error{passing, passing}, calls: 2, err: passing, least: ms(200), most: ms(400)},
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
				err := Retry(ctx, func(context.Context) error { calls++; return tt.answers[calls-1] })
				if calls != tt.calls || err != tt.err {
					t.Errorf("%d calls and error %v, want %d and %v", calls, err, tt.calls, tt.err)
				}
				if took := time.Since(start); took < tt.least || took > tt.most {
					t.Errorf("took %v, want %v to %v", took, tt.least, tt.most)
				}
			})
		})
	}
}

func TestRetryEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		start := time.Now()
		passing := &Error{Temporary: true}
		time.AfterFunc(50*time.Millisecond, cancel)
		if err := Retry(ctx, func(context.Context) error { return passing }); err != passing {
			t.Errorf("error = %v", err)
		}
		if took := time.Since(start); took != 50*time.Millisecond {
			t.Errorf("took %v", took)
		}
	})
}

func TestLimiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, start := NewLimiter(50, 40), time.Now()
		at := func(n int) time.Duration {
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
			{1, 20 * time.Millisecond},    // then one each 20 ms
			{49, 1000 * time.Millisecond}, // 90 in the first second
			{50, 2000 * time.Millisecond}, // and 50 in every one after it
		} {
			if got := at(step.n); got != step.want {
				t.Errorf("after %d more requests %v, want %v", step.n, got, step.want)
			}
		}
		<-time.After(time.Hour)
		if got := at(40); got != time.Hour+2*time.Second {
			t.Errorf("a burst after a pause ended at %v", got)
		}
	})
}

func TestLimiterHeedsItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, start := NewLimiter(1, 1), time.Now()
		if err := l.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		for range 3 {
			if err := l.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("error = %v", err)
			}
		}
		if took := time.Since(start); took != 0 {
			t.Errorf("gave up after %v", took)
		}
		// Those who gave up took no turn.
		if err := l.Wait(t.Context()); err != nil || time.Since(start) != time.Second {
			t.Errorf("the next turn came after %v, %v", time.Since(start), err)
		}
		cancel()
		if err := l.Wait(ctx); err == nil {
			t.Error("a turn for a context that has ended")
		}
	})
}
