package faas

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"sync/atomic"
	"time"
)

// instance is this process as an instance of the function. The handler is built
// at the first event. It is safe for concurrent events.
type instance struct {
	build func(context.Context) (handler, error)
	logs  *eventLogger

	warm atomic.Bool

	building chan struct{} // a semaphore of one: its holder may use built
	built    handler
}

// startMargin is the time that is left for the error response when the start of the
// function takes too long, and at most a quarter of the time limit.
const startMargin = time.Second

func newInstance(build func(context.Context) (handler, error), log io.Writer) *instance {
	return &instance{build: build, logs: newEventLogger(log), building: make(chan struct{}, 1)}
}

// invoke processes one event. All runtimes call it.
func (in *instance) invoke(ctx context.Context, inv Invocation, event []byte) ([]byte, error) {
	start := time.Now()
	inv.Cold = in.warm.CompareAndSwap(false, true)
	ctx = context.WithValue(ctx, invocationKey{}, inv)
	var logAttrs []slog.Attr
	ctx = context.WithValue(ctx, logAttrsKey{}, &logAttrs)
	in.logs.setLevel(ctx)

	result, err := in.handleEvent(ctx, event)

	attrs := append([]slog.Attr{
		slog.String("function", inv.Function),
		slog.Bool("cold", inv.Cold),
		slog.Int64("dur_ms", time.Since(start).Milliseconds()),
	}, logAttrs...)
	if d, ok := ctx.Deadline(); ok {
		attrs = append(attrs, slog.Int64("left_ms", time.Until(d).Milliseconds()))
	}
	level := slog.LevelInfo
	if err != nil {
		level = slog.LevelError
		attrs = append(attrs, slog.String("err", err.Error()))
	}
	in.logs.LogAttrs(ctx, level, "invocation", attrs...)
	return result, err
}

// handleEvent calls the handler and converts a panic into an error, so that the
// instance can process the next event.
func (in *instance) handleEvent(ctx context.Context, event []byte) (result []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			logPanic(ctx, in.logs.Logger, p)
			result, err = nil, &panicError{FromContext(ctx).RequestID}
		}
	}()
	h, err := in.builtHandler(ctx)
	if err != nil {
		return nil, fmt.Errorf("the function cannot start: %w", err)
	}
	v, err := h(ctx, event)
	if err != nil {
		return nil, err
	}
	if result, err = json.Marshal(v); err != nil {
		return nil, fmt.Errorf("encode the result: %w", err)
	}
	return result, nil
}

// prebuild builds the handler before the first event. An error is ignored here,
// because the first event builds again and returns it.
func (in *instance) prebuild() {
	defer func() { _ = recover() }()
	ctx := context.Background()
	in.logs.setLevel(ctx)
	_, _ = in.builtHandler(ctx)
}

// builtHandler returns the handler and builds it if necessary. It ends early enough before
// the deadline of ctx that the platform gets the error.
func (in *instance) builtHandler(ctx context.Context) (handler, error) {
	if deadline, ok := ctx.Deadline(); ok {
		margin := min(startMargin, time.Until(deadline)/4)
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-margin))
		defer cancel()
	}
	select {
	case in.building <- struct{}{}:
		defer func() { <-in.building }()
	case <-ctx.Done():
		return nil, fmt.Errorf("another event or the start of this instance is still at it: something that it connects to does not answer; check that the function is in the network (VPC) of its store and that no security group blocks the way, or raise its time limit: %w", ctx.Err())
	}
	if in.built == nil {
		h, err := in.build(ctx)
		if err != nil {
			return nil, err
		}
		in.built = h
	}
	return in.built, nil
}

type logAttrsKey struct{}

// addLogAttrs adds attributes to the line that is logged at the end of an
// event.
func addLogAttrs(ctx context.Context, attrs ...slog.Attr) {
	if logAttrs, ok := ctx.Value(logAttrsKey{}).(*[]slog.Attr); ok {
		*logAttrs = append(*logAttrs, attrs...)
	}
}

// logPanic logs a recovered value. It must be called by the deferred function
// that recovered it, to log the stack trace of the panic.
func logPanic(ctx context.Context, log *slog.Logger, p any) {
	log.ErrorContext(ctx, "panic", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
}

// panicError is the error response after a panic. The value may contain
// secrets, so it is only in the log.
type panicError struct{ requestID string }

func (e *panicError) Error() string {
	return fmt.Sprintf("the function panicked; the log of request %q has the stack", e.requestID)
}

const levelVariable = "TOCSIN_LOG_LEVEL"

// eventLogger is the logger of a function, whose level follows the environment.
type eventLogger struct {
	*slog.Logger
	level *slog.LevelVar
}

func newEventLogger(w io.Writer) *eventLogger {
	level := new(slog.LevelVar)
	h := slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level})
	return &eventLogger{slog.New(requestIDHandler{h}), level}
}

// setDefault makes it the default logger. The vendors' runtimes log with
// package log, when they fail or stop, so those lines get the level error.
func (l *eventLogger) setDefault() {
	slog.SetLogLoggerLevel(slog.LevelError)
	slog.SetDefault(l.Logger)
}

// setLevel updates the level from the environment, which SCF sends with each
// event.
func (l *eventLogger) setLevel(ctx context.Context) {
	level := slog.LevelInfo
	var err error
	if text := os.Getenv(levelVariable); text != "" {
		err = level.UnmarshalText([]byte(text))
	}
	l.level.Set(level)
	if err != nil && FromContext(ctx).Cold {
		l.WarnContext(ctx, levelVariable+" is not a level: set it to debug, info, warn or error; using info")
	}
}

// requestIDHandler adds the request id of the context's event to each line.
type requestIDHandler struct{ slog.Handler }

func (h requestIDHandler) Handle(ctx context.Context, r slog.Record) error {
	if id := FromContext(ctx).RequestID; id != "" {
		r.AddAttrs(slog.String("request_id", id))
	}
	return h.Handler.Handle(ctx, r)
}

func (h requestIDHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return requestIDHandler{h.Handler.WithAttrs(attrs)}
}

func (h requestIDHandler) WithGroup(name string) slog.Handler {
	return requestIDHandler{h.Handler.WithGroup(name)}
}
