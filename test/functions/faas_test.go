package functions

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/localcloud/lambda"
	"tocsin/pkg/localcloud/scf"
)

func scfTimer(name string) []byte {
	return fmt.Appendf(nil, `{"Type":"Timer","TriggerName":%q,"Time":"2019-02-21T11:49:00Z","Message":"m"}`, name)
}

func scheduler(name string) []byte {
	return fmt.Appendf(nil, `{"source":"aws.scheduler","resources":["arn:aws:scheduler:us-east-1:123456789012:schedule/default/%s"],"time":"2026-01-02T03:04:00Z"}`, name)
}

// timer is an event of the platform's own.
func timer(platform, name string) []byte {
	if platform == "lambda" {
		return scheduler(name)
	}
	return scfTimer(name)
}

func TestTimer(t *testing.T) {
	for platform, start := range platforms {
		t.Run(platform, func(t *testing.T) {
			f := start(t, nil)
			before := time.Now()
			for _, cold := range []bool{true, false} {
				body, err := f.invoke(t.Context(), timer(platform, "minute"))
				a := decode(t, body, err)
				if a.Event.Name != "minute" || a.Invocation.RequestID != "r-1" || a.Invocation.Function != "lag" {
					t.Errorf("the function saw %+v", a)
				}
				if a.Invocation.Cold != cold || a.Builds != 1 {
					t.Errorf("cold %v and built %d times, want %v and once", a.Invocation.Cold, a.Builds, cold)
				}
				// The emulators give 60 s.
				if left := time.UnixMilli(a.Deadline).Sub(before); a.Expired || left < 59*time.Second || left > 90*time.Second {
					t.Errorf("deadline in %v, expired %v", left, a.Expired)
				}
			}
			body, err := f.invoke(t.Context(), scheduler("minute"))
			if a := decode(t, body, err); a.Event.Scheduled != "2026-01-02T03:04:00Z" {
				t.Errorf("scheduled %q", a.Event.Scheduled)
			}
		})
	}
}

func TestErrorAnswers(t *testing.T) {
	for platform, start := range platforms {
		t.Run(platform, func(t *testing.T) {
			f := start(t, nil)
			for _, c := range []struct{ event, want string }{
				{string(timer(platform, "fail")), "polling: no route to host"},
				{string(timer(platform, "panic")), `the function panicked; the log of request "r-1" has the stack`},
				{`{"Records":[{"token":"hush"}]}`, `the event is not a timer's, its keys are "Records": call this function from a timer trigger`},
			} {
				_, err := f.invoke(t.Context(), []byte(c.event))
				kind, got := failure(t, err)
				if got != c.want || kind == "" {
					t.Errorf("answered %s: %s, want %s", kind, got, c.want)
				}
			}
			body, err := f.invoke(t.Context(), timer(platform, "minute"))
			if a := decode(t, body, err); a.Builds != 1 {
				t.Errorf("after a panic the instance was replaced: %+v", a)
			}

			output := f.close()
			if !strings.Contains(output, "secret-of-the-panic") || !strings.Contains(output, "main.echo") {
				t.Errorf("the log has no panic or stack:\n%s", output)
			}
			if strings.Contains(output, "hush") {
				t.Errorf("the log has a value of an unknown event:\n%s", output)
			}
			ends := 0
			for line := range strings.Lines(output) {
				var l struct {
					Msg, Err, Function string
					RequestID          string `json:"request_id"`
					LeftMS             int64  `json:"left_ms"`
					DurMS              *int64 `json:"dur_ms"`
				}
				if err := json.Unmarshal([]byte(line), &l); err != nil {
					t.Errorf("a line that is no JSON: %s", line)
				}
				if l.Msg != "invocation" {
					continue
				}
				ends++
				if l.RequestID != "r-1" || l.Function != "lag" || l.LeftMS < 30000 || l.DurMS == nil {
					t.Errorf("end of invocation: %s", line)
				}
			}
			if ends != 4 {
				t.Errorf("%d ends of invocations in the log, want 4:\n%s", ends, output)
			}
		})
	}
}

// TestRotatedEnvironment: SCF's temporary keys change under a running instance.
func TestRotatedEnvironment(t *testing.T) {
	f, err := scf.StartGo1(t.Context(), scf.Options{Binary: binary("echo-scf")})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, token := range []string{"one", "two"} {
		body, err := f.Invoke(t.Context(), scfTimer("env-TENCENTCLOUD_SESSIONTOKEN"), scf.InvokeOptions{
			Environment: map[string]string{"TENCENTCLOUD_SESSIONTOKEN": token},
		})
		if a := decode(t, body, err); a.Env != token || a.Builds != 1 {
			t.Errorf("the function sees %q, want %q, in one instance (%d)", a.Env, token, a.Builds)
		}
	}
}

// TestBrokenConfiguration: every event is answered with what is wrong, and the
// first after it is mended is served.
func TestBrokenConfiguration(t *testing.T) {
	f, err := scf.StartGo1(t.Context(), scf.Options{Binary: binary("echo-scf")})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for range 2 {
		_, err := f.Invoke(t.Context(), scfTimer("minute"), scf.InvokeOptions{Environment: map[string]string{"ECHO_CONFIG": "broken"}})
		if _, got := failure(t, err); got != "the function cannot start: tocsin.yaml:3: unknown key" {
			t.Errorf("answered %s", got)
		}
	}
	body, err := f.Invoke(t.Context(), scfTimer("minute"), scf.InvokeOptions{Environment: map[string]string{"ECHO_CONFIG": "good"}})
	if a := decode(t, body, err); a.Builds != 3 {
		t.Errorf("built %d times, want 3", a.Builds)
	}
}

func TestDeadlines(t *testing.T) {
	f, err := scf.StartGo1(t.Context(), scf.Options{Binary: binary("echo-scf"), Timeout: 30 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	// A deadline that was not sent: the time limit counts.
	before := time.Now()
	body, err := f.Invoke(t.Context(), scfTimer("minute"), scf.InvokeOptions{Deadline: time.Unix(0, 0)})
	a := decode(t, body, err)
	if left := time.UnixMilli(a.Deadline).Sub(before); a.Expired || left < 29*time.Second || left > 55*time.Second {
		t.Errorf("deadline in %v, expired %v; want the limit of 30 s", left, a.Expired)
	}
	// A function that ignores its deadline is killed by the platform.
	_, err = f.Invoke(t.Context(), scfTimer("stall"), scf.InvokeOptions{Deadline: time.Now().Add(50 * time.Millisecond)})
	if !errors.Is(err, scf.ErrTimeout) {
		t.Errorf("got %v", err)
	}
}

// TestWrongCloud: a binary carries one cloud's runtime only, and says so on the
// other's.
func TestWrongCloud(t *testing.T) {
	l, err := lambda.Start(lambda.Options{Binary: binary("echo-scf")})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := l.Invoke(t.Context(), scheduler("minute"), lambda.InvokeOptions{}); err == nil || !strings.Contains(err.Error(), "built for SCF: deploy the one in dist/lambda") {
		t.Errorf("SCF's binary on Lambda: %v", err)
	}
	o := scf.Options{Binary: binary("echo-lambda")}
	if _, err := scf.StartGo1(t.Context(), o); err == nil || !strings.Contains(err.Error(), "built for Lambda: deploy the one in dist/scf") {
		t.Errorf("Lambda's binary on SCF: %v", err)
	}
	if _, err := scf.StartCustom(t.Context(), o); err == nil || !strings.Contains(err.Error(), "built for Lambda: deploy the one in dist/scf") {
		t.Errorf("Lambda's binary on SCF's custom runtime: %v", err)
	}

	for name, strangers := range map[string][]string{
		"echo-scf":    {"aws-lambda-go"},
		"echo-lambda": {"scf-go-lib", "net/rpc"},
	} {
		b, err := os.ReadFile(binary(name))
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range strangers {
			// Paths of source files, as stack traces print them.
			if bytes.Contains(b, []byte(s+"@")) || bytes.Contains(b, []byte(s+"/server.go")) {
				t.Errorf("%s carries %s", name, s)
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
		t.Errorf("ended with %v, want exit status 2", err)
	}
	if text := string(out); strings.Count(text, "\n") != 1 || !strings.Contains(text, "`tocsin serve`") {
		t.Errorf("said %q", text)
	}
}
