package faas

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// lines decodes a log.
func lines(t *testing.T, log *bytes.Buffer) []map[string]any {
	t.Helper()
	var out []map[string]any
	for d := json.NewDecoder(log); d.More(); {
		line := map[string]any{}
		if err := d.Decode(&line); err != nil {
			t.Fatal(err)
		}
		delete(line, "time")
		out = append(out, line)
	}
	return out
}

func always(h handler) func(context.Context) (handler, error) {
	return func(context.Context) (handler, error) { return h, nil }
}

func TestInvokeLogsOneLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		var fail error
		in := newInstance(always(func(ctx context.Context, event []byte) (any, error) {
			time.Sleep(1500 * time.Millisecond) // virtual
			return map[string]int{"polled": 3}, fail
		}), &log)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()

		answer, err := in.invoke(ctx, Invocation{RequestID: "r1", Function: "lag"}, nil)
		if err != nil || string(answer) != `{"polled":3}` {
			t.Errorf("answer %s, %v", answer, err)
		}
		fail = errors.New("the store is out of reach")
		answer, err = in.invoke(t.Context(), Invocation{RequestID: "r2", Function: "lag"}, nil)
		if !errors.Is(err, fail) || answer != nil {
			t.Errorf("answer %s, %v", answer, err)
		}

		got, _ := json.Marshal(lines(t, &log))
		want := `[` +
			`{"cold":true,"dur_ms":1500,"function":"lag","left_ms":8500,"level":"INFO","msg":"invocation","request_id":"r1"},` +
			`{"cold":false,"dur_ms":1500,"err":"the store is out of reach","function":"lag","level":"ERROR","msg":"invocation","request_id":"r2"}]`
		if string(got) != want {
			t.Errorf("log\n%s, want\n%s", got, want)
		}
	})
}

func TestBuildAtFirstEvent(t *testing.T) {
	builds, fail := 0, errors.New("tocsin.yaml:3: unknown key")
	in := newInstance(func(context.Context) (handler, error) {
		builds++
		return func(context.Context, []byte) (any, error) { return builds, nil }, fail
	}, new(bytes.Buffer))
	if builds != 0 {
		t.Error("built before the first event")
	}
	for range 2 {
		if _, err := in.invoke(t.Context(), Invocation{}, nil); !errors.Is(err, fail) || err.Error() != "the function cannot start: tocsin.yaml:3: unknown key" {
			t.Errorf("error is %v", err)
		}
	}
	fail = nil
	for range 2 {
		if answer, err := in.invoke(t.Context(), Invocation{}, nil); err != nil || string(answer) != "3" {
			t.Errorf("answer %s, %v: want the third build's", answer, err)
		}
	}
}

func TestPrepare(t *testing.T) {
	builds := 0
	var broken any
	in := newInstance(func(context.Context) (handler, error) {
		builds++
		if broken != nil {
			panic(broken)
		}
		return func(context.Context, []byte) (any, error) { return builds, nil }, nil
	}, new(bytes.Buffer))
	broken = "no configuration"
	in.prepare() // does not die
	if _, err := in.invoke(t.Context(), Invocation{}, nil); err == nil {
		t.Error("a build that panics is no error")
	}
	broken = nil
	in.prepare()
	for range 2 {
		if answer, err := in.invoke(t.Context(), Invocation{}, nil); err != nil || string(answer) != "3" {
			t.Errorf("answer %s, %v: want the third build's", answer, err)
		}
	}
}

func TestPanic(t *testing.T) {
	for name, build := range map[string]func(context.Context) (handler, error){
		"handler": always(func(context.Context, []byte) (any, error) { panic("token hush") }),
		"build":   func(context.Context) (handler, error) { panic("token hush") },
	} {
		var log bytes.Buffer
		in := newInstance(build, &log)
		for range 2 { // the second finds no lock held
			_, err := in.invoke(t.Context(), Invocation{RequestID: "r1"}, nil)
			if err == nil || err.Error() != `the function panicked; the log of request "r1" has the stack` {
				t.Errorf("%s: error is %v", name, err)
			}
		}
		l := lines(t, &log)
		if len(l) != 4 || l[0]["msg"] != "panic" || l[0]["request_id"] != "r1" || l[0]["panic"] != "token hush" || l[1]["msg"] != "invocation" {
			t.Errorf("%s: log %v", name, l)
		}
		if stack, _ := l[0]["stack"].(string); !strings.Contains(stack, "TestPanic") {
			t.Errorf("%s: stack %q", name, stack)
		}
	}
}

func TestAnswerThatIsNoJSON(t *testing.T) {
	in := newInstance(always(func(context.Context, []byte) (any, error) { return make(chan int), nil }), new(bytes.Buffer))
	if _, err := in.invoke(t.Context(), Invocation{}, nil); err == nil || !strings.HasPrefix(err.Error(), "writing the answer: ") {
		t.Errorf("error is %v", err)
	}
}

func TestHandlerSeesInvocation(t *testing.T) {
	var got []Invocation
	in := newInstance(always(func(ctx context.Context, _ []byte) (any, error) {
		got = append(got, FromContext(ctx))
		return nil, nil
	}), new(bytes.Buffer))
	for range 2 {
		if _, err := in.invoke(t.Context(), Invocation{RequestID: "r", Function: "lag"}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if len(got) != 2 || got[0] != (Invocation{"r", "lag", true}) || got[1] != (Invocation{"r", "lag", false}) {
		t.Errorf("got %+v", got)
	}
	if inv := FromContext(t.Context()); inv != (Invocation{}) {
		t.Errorf("outside of an invocation: %+v", inv)
	}
}

func TestLogLevel(t *testing.T) {
	for _, c := range []struct {
		level string
		want  []string
	}{
		{"", []string{"i", "w", "e", "invocation"}},
		{"debug", []string{"d", "i", "w", "e", "invocation"}},
		{"warn", []string{"w", "e"}},
		{"ERROR", []string{"e"}},
		{"loud", []string{"TOCSIN_LOG_LEVEL is not a level: write debug, info, warn or error; info is used", "i", "w", "e", "invocation"}},
	} {
		t.Setenv("TOCSIN_LOG_LEVEL", c.level)
		var log bytes.Buffer
		in := newInstance(nil, &log)
		in.build = always(func(ctx context.Context, _ []byte) (any, error) {
			l := in.logs.With("room", "lag").WithGroup("g")
			l.DebugContext(ctx, "d")
			l.InfoContext(ctx, "i")
			l.WarnContext(ctx, "w")
			l.ErrorContext(ctx, "e")
			return nil, nil
		})
		if _, err := in.invoke(t.Context(), Invocation{RequestID: "r"}, nil); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, l := range lines(t, &log) {
			got = append(got, l["msg"].(string))
		}
		if strings.Join(got, ",") != strings.Join(c.want, ",") {
			t.Errorf("level %q logs %q, want %q", c.level, got, c.want)
		}
	}
}

func TestLevelFollowsEnvironment(t *testing.T) {
	in := newInstance(always(func(context.Context, []byte) (any, error) { return nil, nil }), new(bytes.Buffer))
	for _, c := range []struct {
		text string
		want slog.Level
	}{{"debug", slog.LevelDebug}, {"error", slog.LevelError}, {"", slog.LevelInfo}} {
		t.Setenv("TOCSIN_LOG_LEVEL", c.text)
		if _, err := in.invoke(t.Context(), Invocation{}, nil); err != nil {
			t.Fatal(err)
		}
		if got := in.logs.level.Level(); got != c.want {
			t.Errorf("%q: level %v, want %v", c.text, got, c.want)
		}
	}
}
