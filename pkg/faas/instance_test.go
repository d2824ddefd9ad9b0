package faas

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// decodeLog decodes the lines of a log, without their times.
func decodeLog(t *testing.T, log *bytes.Buffer) []map[string]any {
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

func fixedHandler(h handler) func(context.Context) (handler, error) {
	return func(context.Context) (handler, error) { return h, nil }
}

func TestInvokeLogsOneLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		var fail error
		in := newInstance(fixedHandler(func(ctx context.Context, event []byte) (any, error) {
			time.Sleep(1500 * time.Millisecond) // virtual
			return map[string]int{"polled": 3}, fail
		}), &log)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()

		result, err := in.invoke(ctx, Invocation{RequestID: "r1", Function: "lag"}, nil)
		if err != nil || string(result) != `{"polled":3}` {
			t.Errorf("got result %s, error %v; want {\"polled\":3}", result, err)
		}
		fail = errors.New("the store is unreachable")
		result, err = in.invoke(t.Context(), Invocation{RequestID: "r2", Function: "lag"}, nil)
		if !errors.Is(err, fail) || result != nil {
			t.Errorf("got result %s, error %v; want %v", result, err, fail)
		}

		got, _ := json.Marshal(decodeLog(t, &log))
		want := `[` +
			`{"cold":true,"dur_ms":1500,"function":"lag","left_ms":8500,"level":"INFO","msg":"invocation","request_id":"r1"},` +
			`{"cold":false,"dur_ms":1500,"err":"the store is unreachable","function":"lag","level":"ERROR","msg":"invocation","request_id":"r2"}]`
		if string(got) != want {
			t.Errorf("log: got\n%s\nwant\n%s", got, want)
		}
	})
}

// TestStartHangs has a function whose start waits for something that does not answer: the
// event gets the error before its deadline, when the platform would kill the process.
func TestStartHangs(t *testing.T) {
	noAnswer := errors.New("no answer: check the network")
	hang := func(ctx context.Context) (handler, error) {
		select {
		case <-ctx.Done():
			return nil, noAnswer
		case <-time.After(30 * time.Second):
			return func(context.Context, []byte) (any, error) { return "ok", nil }, nil
		}
	}
	for name, test := range map[string]struct {
		prebuilt bool
		limit    time.Duration
		want     string
		at       time.Duration
	}{
		"at the event":                   {false, 3 * time.Second, noAnswer.Error(), 2250 * time.Millisecond},
		"at the event with a high limit": {false, 20 * time.Second, noAnswer.Error(), 19 * time.Second},
		"before the event":               {true, 3 * time.Second, "check that the function is in the network (VPC)", 2250 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				in := newInstance(hang, new(bytes.Buffer))
				if test.prebuilt {
					go in.prebuild()
					synctest.Wait()
				}
				began := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), test.limit)
				defer cancel()
				_, err := in.invoke(ctx, Invocation{}, nil)
				if took := time.Since(began); err == nil || !strings.Contains(err.Error(), test.want) || took != test.at {
					t.Errorf("got %v after %v, want %q after %v", err, took, test.want, test.at)
				}
				time.Sleep(30 * time.Second)
				if test.prebuilt {
					if result, err := in.invoke(t.Context(), Invocation{}, nil); err != nil || string(result) != `"ok"` {
						t.Errorf("next event: got %s, %v, want ok", result, err)
					}
				}
			})
		})
	}
}

func TestBuildAtFirstEvent(t *testing.T) {
	builds, fail := 0, errors.New("tocsin.yaml:3: unknown key")
	in := newInstance(func(context.Context) (handler, error) {
		builds++
		return func(context.Context, []byte) (any, error) { return builds, nil }, fail
	}, new(bytes.Buffer))
	if builds != 0 {
		t.Error("handler was built before the first event, want it built at the event")
	}
	for range 2 {
		if _, err := in.invoke(t.Context(), Invocation{}, nil); !errors.Is(err, fail) || err.Error() != "the function cannot start: tocsin.yaml:3: unknown key" {
			t.Errorf("got error %v, want %v", err, fail)
		}
	}
	fail = nil
	for range 2 {
		if result, err := in.invoke(t.Context(), Invocation{}, nil); err != nil || string(result) != "3" {
			t.Errorf("got result %s, error %v; want 3, from the third build", result, err)
		}
	}
}

func TestPrebuild(t *testing.T) {
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
	in.prebuild() // must not panic
	if _, err := in.invoke(t.Context(), Invocation{}, nil); err == nil {
		t.Error("build panics: got no error, want one")
	}
	broken = nil
	in.prebuild()
	for range 2 {
		if result, err := in.invoke(t.Context(), Invocation{}, nil); err != nil || string(result) != "3" {
			t.Errorf("got result %s, error %v; want 3, from the third build", result, err)
		}
	}
}

func TestHandlerPanics(t *testing.T) {
	for name, build := range map[string]func(context.Context) (handler, error){
		"handler": fixedHandler(func(context.Context, []byte) (any, error) { panic("token hush") }),
		"build":   func(context.Context) (handler, error) { panic("token hush") },
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			in := newInstance(build, &log)
			for range 2 { // the second must not find a locked mutex
				_, err := in.invoke(t.Context(), Invocation{RequestID: "r1"}, nil)
				if err == nil || err.Error() != `the function panicked; the log of request "r1" has the stack` {
					t.Errorf("got error %v, want one that refers to the log", err)
				}
			}
			l := decodeLog(t, &log)
			if len(l) != 4 || l[0]["msg"] != "panic" || l[0]["request_id"] != "r1" || l[0]["panic"] != "token hush" || l[1]["msg"] != "invocation" {
				t.Errorf("log: got %v, want a panic and an invocation for each event", l)
			}
			if stack, _ := l[0]["stack"].(string); !strings.Contains(stack, "TestHandlerPanics") {
				t.Errorf("log: got stack %q, want that of the panic", stack)
			}
		})
	}
}

func TestResultIsNotJSON(t *testing.T) {
	in := newInstance(fixedHandler(func(context.Context, []byte) (any, error) { return make(chan int), nil }), new(bytes.Buffer))
	if _, err := in.invoke(t.Context(), Invocation{}, nil); err == nil || !strings.HasPrefix(err.Error(), "encode the result: ") {
		t.Errorf("got error %v, want one of encoding", err)
	}
}

func TestFromContext(t *testing.T) {
	var got []Invocation
	in := newInstance(fixedHandler(func(ctx context.Context, _ []byte) (any, error) {
		got = append(got, FromContext(ctx))
		return nil, nil
	}), new(bytes.Buffer))
	for range 2 {
		if _, err := in.invoke(t.Context(), Invocation{RequestID: "r", Function: "lag"}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if len(got) != 2 || got[0] != (Invocation{"r", "lag", true}) || got[1] != (Invocation{"r", "lag", false}) {
		t.Errorf("got %+v, want two invocations, the first of them cold", got)
	}
	if inv := FromContext(t.Context()); inv != (Invocation{}) {
		t.Errorf("context without an invocation: got %+v, want none", inv)
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
		{"loud", []string{"TOCSIN_LOG_LEVEL is not a level: set it to debug, info, warn or error; using info", "i", "w", "e", "invocation"}},
	} {
		t.Run(cmp.Or(c.level, "unset"), func(t *testing.T) {
			t.Setenv("TOCSIN_LOG_LEVEL", c.level)
			var log bytes.Buffer
			in := newInstance(nil, &log)
			in.build = fixedHandler(func(ctx context.Context, _ []byte) (any, error) {
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
			for _, l := range decodeLog(t, &log) {
				got = append(got, l["msg"].(string))
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got lines %q, want %q", got, c.want)
			}
		})
	}
}

func TestLogLevelFollowsEnvironment(t *testing.T) {
	in := newInstance(fixedHandler(func(context.Context, []byte) (any, error) { return nil, nil }), new(bytes.Buffer))
	for _, c := range []struct {
		text string
		want slog.Level
	}{{"debug", slog.LevelDebug}, {"error", slog.LevelError}, {"", slog.LevelInfo}} {
		t.Setenv("TOCSIN_LOG_LEVEL", c.text)
		if _, err := in.invoke(t.Context(), Invocation{}, nil); err != nil {
			t.Fatal(err)
		}
		if got := in.logs.level.Level(); got != c.want {
			t.Errorf("%q: got level %v, want %v", c.text, got, c.want)
		}
	}
}
