package functions

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/localcloud/lambda"
	"tocsin/pkg/localcloud/scf"
)

func TestTimerEvents(t *testing.T) {
	for platform, start := range platforms {
		t.Run(platform, func(t *testing.T) {
			f := start(t)
			before := time.Now()
			for _, cold := range []bool{true, false} {
				body, err := f.invoke(t.Context(), timerEvent(platform, "minute"))
				r := decodeEcho(t, body, err)
				if r.Event.Name != "minute" || r.Invocation.RequestID != "r-1" || r.Invocation.Function != "lag" {
					t.Errorf("got %+v, want timer minute, request r-1, function lag", r)
				}
				if r.Invocation.Cold != cold || r.Builds != 1 {
					t.Errorf("got cold %v, %d builds; want %v, 1", r.Invocation.Cold, r.Builds, cold)
				}
				// The emulated platforms have a time limit of 60 s.
				if left := time.UnixMilli(r.Deadline).Sub(before); r.Expired || left < 59*time.Second || left > 90*time.Second {
					t.Errorf("got %v to the deadline, expired %v; want 60s", left, r.Expired)
				}
			}
			body, err := f.invoke(t.Context(), schedulerEvent("minute"))
			if r := decodeEcho(t, body, err); r.Event.Scheduled != "2026-01-02T03:04:00Z" {
				t.Errorf("scheduled time: got %q, want that of the event", r.Event.Scheduled)
			}
		})
	}
}

func TestErrorResponses(t *testing.T) {
	for platform, start := range platforms {
		t.Run(platform, func(t *testing.T) {
			f := start(t)
			for _, c := range []struct{ event, want string }{
				{string(timerEvent(platform, "fail")), "polling: no route to host"},
				{string(timerEvent(platform, "panic")), `the function panicked; the log of request "r-1" has the stack`},
				{`{"Records":[{"token":"hush"}]}`, `the event is not a timer's, its keys are "Records": call this function from a timer trigger`},
			} {
				_, err := f.invoke(t.Context(), []byte(c.event))
				kind, got := functionError(t, err)
				if got != c.want || kind == "" {
					t.Errorf("event %s: got type %q, error %s; want a type and %s", c.event, kind, got, c.want)
				}
			}
			body, err := f.invoke(t.Context(), timerEvent(platform, "minute"))
			if r := decodeEcho(t, body, err); r.Builds != 1 {
				t.Errorf("after a panic: got %+v, want the same instance", r)
			}

			output := f.close()
			if !strings.Contains(output, "secret-of-the-panic") || !strings.Contains(output, "main.echo") {
				t.Errorf("log: got\n%s\nwant the panic with its stack trace", output)
			}
			if strings.Contains(output, "hush") {
				t.Errorf("log: got\n%s\nwant no values of an unknown event", output)
			}
			invocations := 0
			for line := range strings.Lines(output) {
				var l struct {
					Msg, Err, Function string
					RequestID          string `json:"request_id"`
					LeftMS             int64  `json:"left_ms"`
					DurMS              *int64 `json:"dur_ms"`
				}
				if err := json.Unmarshal([]byte(line), &l); err != nil {
					t.Errorf("log line %q: got %v, want JSON", line, err)
				}
				if l.Msg != "invocation" {
					continue
				}
				invocations++
				if l.RequestID != "r-1" || l.Function != "lag" || l.LeftMS < 30000 || l.DurMS == nil {
					t.Errorf("log: got %s, want request_id, function, left_ms and dur_ms", line)
				}
			}
			if invocations != 4 {
				t.Errorf("log: got %d invocations, want 4:\n%s", invocations, output)
			}
		})
	}
}

// TestRotatedCredentials checks that an instance uses the temporary credentials
// of each event.
func TestRotatedCredentials(t *testing.T) {
	f := startGo1(t, "echo-scf", "", nil)
	for _, token := range []string{"one", "two"} {
		body, err := f.Invoke(t.Context(), scfTimerEvent("env-TENCENTCLOUD_SESSIONTOKEN"), scf.InvokeOptions{
			Environment: map[string]string{"TENCENTCLOUD_SESSIONTOKEN": token},
		})
		if r := decodeEcho(t, body, err); r.Env != token || r.Builds != 1 {
			t.Errorf("got token %q, %d builds; want %q, 1", r.Env, r.Builds, token)
		}
	}
}

// TestInvalidConfiguration checks that each event returns the error, and that
// the first one after the configuration is corrected succeeds.
func TestInvalidConfiguration(t *testing.T) {
	f := startGo1(t, "echo-scf", "", nil)
	for range 2 {
		_, err := f.Invoke(t.Context(), scfTimerEvent("minute"), scf.InvokeOptions{Environment: map[string]string{"ECHO_CONFIG": "broken"}})
		if _, got := functionError(t, err); got != "the function cannot start: tocsin.yaml:3: unknown key" {
			t.Errorf("got error %s, want that of the configuration", got)
		}
	}
	body, err := f.Invoke(t.Context(), scfTimerEvent("minute"), scf.InvokeOptions{Environment: map[string]string{"ECHO_CONFIG": "good"}})
	if r := decodeEcho(t, body, err); r.Builds != 3 {
		t.Errorf("got %d builds, want 3", r.Builds)
	}
}

func TestDeadlines(t *testing.T) {
	f, err := scf.StartGo1(t.Context(), scf.Options{Binary: binary("echo-scf"), Timeout: 30 * time.Second})
	must(t, err)
	defer f.Close()
	// Without a deadline, the time limit applies.
	before := time.Now()
	body, err := f.Invoke(t.Context(), scfTimerEvent("minute"), scf.InvokeOptions{Deadline: time.Unix(0, 0)})
	r := decodeEcho(t, body, err)
	if left := time.UnixMilli(r.Deadline).Sub(before); r.Expired || left < 29*time.Second || left > 55*time.Second {
		t.Errorf("got %v to the deadline, expired %v; want the limit of 30s", left, r.Expired)
	}
	// The platform kills a function that ignores its deadline.
	_, err = f.Invoke(t.Context(), scfTimerEvent("stall"), scf.InvokeOptions{Deadline: time.Now().Add(50 * time.Millisecond)})
	if !errors.Is(err, scf.ErrTimeout) {
		t.Errorf("got error %v, want %v", err, scf.ErrTimeout)
	}
}

// TestBinaryOnOtherCloud checks that a binary contains only one cloud's runtime, and that
// its error on the other cloud names the binary to deploy there.
func TestBinaryOnOtherCloud(t *testing.T) {
	l := startLambda(t, "echo-scf", "", nil)
	_, onLambda := l.Invoke(t.Context(), schedulerEvent("minute"), lambda.InvokeOptions{})
	o := scf.Options{Binary: binary("echo-lambda")}
	_, onGo1 := scf.StartGo1(t.Context(), o)
	_, onCustom := scf.StartCustom(t.Context(), o)
	for _, c := range []struct {
		name string
		err  error
		want string
	}{
		{"SCF binary on Lambda", onLambda, "built for SCF: deploy the one in dist/lambda"},
		{"Lambda binary on SCF Go1", onGo1, "built for Lambda: deploy the one in dist/scf"},
		{"Lambda binary on SCF CustomRuntime", onCustom, "built for Lambda: deploy the one in dist/scf"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.err == nil || !strings.Contains(c.err.Error(), c.want) {
				t.Errorf("got error %v, want %q in it", c.err, c.want)
			}
		})
	}

	for name, excluded := range map[string][]string{
		"echo-scf":    {"aws-lambda-go"},
		"echo-lambda": {"scf-go-lib", "net/rpc"},
	} {
		b, err := os.ReadFile(binary(name))
		must(t, err)
		for _, s := range excluded {
			// Paths of source files, as in stack traces.
			if bytes.Contains(b, []byte(s+"@")) || bytes.Contains(b, []byte(s+"/server.go")) {
				t.Errorf("%s: got %s in it, want it left out", name, s)
			}
		}
	}
}

func TestNoPlatform(t *testing.T) {
	cmd := exec.Command(binary("echo-scf"))
	cmd.Env = []string{}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 2 {
		t.Errorf("got error %v, want exit status 2", err)
	}
	if text := string(out); strings.Count(text, "\n") != 1 || !strings.Contains(text, "`tocsin serve`") {
		t.Errorf("output: got %q, want one line that refers to tocsin serve", text)
	}
}
