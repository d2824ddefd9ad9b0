package faas

import (
	"context"
	"io"
	"log/slog"
	"os"
)

const levelVariable = "TOCSIN_LOG_LEVEL"

// logs is the function's logger, whose level follows the environment.
type logs struct {
	*slog.Logger
	level *slog.LevelVar
}

func newLogs(w io.Writer) *logs {
	level := new(slog.LevelVar)
	h := slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level})
	return &logs{slog.New(requestHandler{h}), level}
}

// makeDefault makes the logger the process's. What the vendors' runtimes write
// through package log is about their own end, or an error: it goes out at that
// level.
func (l *logs) makeDefault() {
	slog.SetLogLoggerLevel(slog.LevelError)
	slog.SetDefault(l.Logger)
}

// setLevel reads the level anew: SCF delivers the environment with the event.
func (l *logs) setLevel(ctx context.Context) {
	level := slog.LevelInfo
	var err error
	if text := os.Getenv(levelVariable); text != "" {
		err = level.UnmarshalText([]byte(text))
	}
	l.level.Set(level)
	if err != nil && FromContext(ctx).Cold {
		l.WarnContext(ctx, levelVariable+" is not a level: write debug, info, warn or error; info is used")
	}
}

// requestHandler adds the request id of the event whose context a line is
// logged with.
type requestHandler struct{ slog.Handler }

func (h requestHandler) Handle(ctx context.Context, r slog.Record) error {
	if id := FromContext(ctx).RequestID; id != "" {
		r.AddAttrs(slog.String("request_id", id))
	}
	return h.Handler.Handle(ctx, r)
}

func (h requestHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return requestHandler{h.Handler.WithAttrs(attrs)}
}

func (h requestHandler) WithGroup(name string) slog.Handler {
	return requestHandler{h.Handler.WithGroup(name)}
}
