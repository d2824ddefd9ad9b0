package faas

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// instance is this process as the platform sees it: a function that is built at
// its first event and answers one event after the other. It is safe for
// concurrent events.
type instance struct {
	build func(context.Context) (handler, error)
	logs  *logs

	warm atomic.Bool

	mu    sync.Mutex
	built handler
}

func newInstance(build func(context.Context) (handler, error), log io.Writer) *instance {
	return &instance{build: build, logs: newLogs(log)}
}

// invoke answers one event. Every runtime comes through here.
func (in *instance) invoke(ctx context.Context, inv Invocation, event []byte) ([]byte, error) {
	start := time.Now()
	inv.Cold = in.warm.CompareAndSwap(false, true)
	ctx = context.WithValue(ctx, invocationKey{}, inv)
	var notes []slog.Attr
	ctx = context.WithValue(ctx, notesKey{}, &notes)
	in.logs.setLevel(ctx)

	answer, err := in.call(ctx, event)

	attrs := append([]slog.Attr{
		slog.String("function", inv.Function),
		slog.Bool("cold", inv.Cold),
		slog.Int64("dur_ms", time.Since(start).Milliseconds()),
	}, notes...)
	if d, ok := ctx.Deadline(); ok {
		attrs = append(attrs, slog.Int64("left_ms", time.Until(d).Milliseconds()))
	}
	level := slog.LevelInfo
	if err != nil {
		level = slog.LevelError
		attrs = append(attrs, slog.String("err", err.Error()))
	}
	in.logs.LogAttrs(ctx, level, "invocation", attrs...)
	return answer, err
}

// call runs the handler and turns a panic into an error, so that the instance
// lives on for the next event.
func (in *instance) call(ctx context.Context, event []byte) (answer []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			logPanic(ctx, in.logs.Logger, p)
			answer, err = nil, &panicError{FromContext(ctx).RequestID}
		}
	}()
	h, err := in.handler(ctx)
	if err != nil {
		return nil, fmt.Errorf("the function cannot start: %w", err)
	}
	v, err := h(ctx, event)
	if err != nil {
		return nil, err
	}
	if answer, err = json.Marshal(v); err != nil {
		return nil, fmt.Errorf("writing the answer: %w", err)
	}
	return answer, nil
}

// prepare builds the function ahead of the first event. What keeps it from
// being built keeps the event's own build from it too, and is told there.
func (in *instance) prepare() {
	defer func() { _ = recover() }()
	ctx := context.Background()
	in.logs.setLevel(ctx)
	_, _ = in.handler(ctx)
}

// handler returns the function, built if it is not yet.
func (in *instance) handler(ctx context.Context) (handler, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.built == nil {
		h, err := in.build(ctx)
		if err != nil {
			return nil, err
		}
		in.built = h
	}
	return in.built, nil
}

type notesKey struct{}

// note adds to the line that is logged at the end of ctx's event.
func note(ctx context.Context, attrs ...slog.Attr) {
	if notes, ok := ctx.Value(notesKey{}).(*[]slog.Attr); ok {
		*notes = append(*notes, attrs...)
	}
}

// logPanic logs what was recovered; the deferred function that did calls it, so
// that the stack is still there.
func logPanic(ctx context.Context, log *slog.Logger, p any) {
	log.ErrorContext(ctx, "panic", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
}

// panicError is the answer after a panic. What was panicked with may hold
// anything, so it is in the log and not here.
type panicError struct{ requestID string }

func (e *panicError) Error() string {
	return fmt.Sprintf("the function panicked; the log of request %q has the stack", e.requestID)
}
