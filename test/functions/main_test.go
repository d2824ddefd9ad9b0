// Package functions tests built functions over the interfaces of the platforms
// that run them, and the built command-line tool against them and against tocsin serve.
package functions

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"tocsin/pkg/localcloud"
	"tocsin/pkg/localcloud/lambda"
	"tocsin/pkg/localcloud/scf"
)

const echo = "../../pkg/faas/testdata/echo"

// Build tags of scripts/build.
const (
	scfTags    = "scf,timetzdata"
	lambdaTags = "lambda,lambda.norpc,timetzdata"
)

// binaries is the directory of the built functions.
var binaries string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "functions")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		binaries = dir
		for name, tags := range map[string]string{"echo-scf": scfTags, "echo-lambda": lambdaTags} {
			if err := build(name, tags, echo); err != nil {
				fmt.Fprintln(os.Stderr, err)
				return 1
			}
		}
		return m.Run()
	}())
}

// build builds the function in folder as scripts/build does.
func build(name, tags, folder string) error {
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w -buildid=", "-tags", tags, "-o", binary(name), folder)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", name, err, out)
	}
	return nil
}

// mustBuild builds the function in folder for both clouds, as NAME-scf and
// NAME-lambda.
func mustBuild(t testing.TB, name, folder string) {
	t.Helper()
	must(t, build(name+"-scf", scfTags, folder))
	must(t, build(name+"-lambda", lambdaTags, folder))
}

func binary(name string) string { return filepath.Join(binaries, name) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// startGo1 starts a binary on SCF as the function name, with the environment variables of
// its configuration.
func startGo1(t testing.TB, binaryName, name string, env map[string]string) *scf.Go1 {
	t.Helper()
	f, err := scf.StartGo1(t.Context(), scf.Options{Binary: binary(binaryName), Name: name, Env: env})
	must(t, err)
	t.Cleanup(f.Close)
	return f
}

// startCustom is startGo1 with the runtime CustomRuntime.
func startCustom(t testing.TB, binaryName, name string, env map[string]string) *scf.Custom {
	t.Helper()
	f, err := scf.StartCustom(t.Context(), scf.Options{Binary: binary(binaryName), Name: name, Env: env})
	must(t, err)
	t.Cleanup(f.Close)
	return f
}

// startLambda is startGo1 for Lambda.
func startLambda(t testing.TB, binaryName, name string, env map[string]string) *lambda.Function {
	t.Helper()
	f, err := lambda.Start(lambda.Options{Binary: binary(binaryName), Name: name, Env: env})
	must(t, err)
	t.Cleanup(f.Close)
	return f
}

// writeConfig writes a configuration to a new directory. It replaces placeholders:
// <dir> by the directory, and others by replacements, which are pairs of old and new. It
// returns the directory and the environment variables of a function that uses the
// configuration, trusts the cloud, and has the secrets.
func writeConfig(t testing.TB, cloud *localcloud.Cloud, config string, secrets map[string]string, replacements ...string) (dir string, env map[string]string) {
	t.Helper()
	dir = t.TempDir()
	replacer := strings.NewReplacer(append(replacements, "<dir>", dir)...)
	must(t, os.WriteFile(filepath.Join(dir, "tocsin.yaml"), []byte(replacer.Replace(config)), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "ca.pem"), cloud.Network.CAPEM(), 0o600))
	env = map[string]string{"TOCSIN_CONFIG": filepath.Join(dir, "tocsin.yaml"), "SSL_CERT_FILE": filepath.Join(dir, "ca.pem"), "SSL_CERT_DIR": dir}
	maps.Copy(env, secrets)
	return dir, env
}

// function is a running echo function on any platform.
type function struct {
	invoke func(ctx context.Context, event []byte) ([]byte, error)
	close  func() (output string)
}

// platforms starts the echo function on each platform.
var platforms = map[string]func(testing.TB) function{
	"scf": func(t testing.TB) function {
		f := startGo1(t, "echo-scf", "lag", nil)
		return newFunction(f, func(ctx context.Context, event []byte) ([]byte, error) {
			return f.Invoke(ctx, event, scf.InvokeOptions{RequestID: "r-1"})
		})
	},
	"scf custom": func(t testing.TB) function {
		f := startCustom(t, "echo-scf", "lag", nil)
		return newFunction(f, func(ctx context.Context, event []byte) ([]byte, error) {
			return f.Invoke(ctx, event, scf.InvokeOptions{RequestID: "r-1"})
		})
	},
	"lambda": func(t testing.TB) function {
		f := startLambda(t, "echo-lambda", "lag", nil)
		return newFunction(f, func(ctx context.Context, event []byte) ([]byte, error) {
			return f.Invoke(ctx, event, lambda.InvokeOptions{RequestID: "r-1"})
		})
	},
}

func newFunction(f interface {
	Output() string
	Close()
}, invoke func(context.Context, []byte) ([]byte, error)) function {
	return function{invoke: invoke, close: func() string { f.Close(); return f.Output() }}
}

// echoResult is the result of the echo function.
type echoResult struct {
	Event struct {
		Source, Name, Message, Scheduled string
	}
	Invocation struct {
		RequestID, Function string
		Cold                bool
	}
	Builds   int
	Expired  bool
	Deadline int64
	Env      string
}

func decodeEcho(t testing.TB, body []byte, err error) (r echoResult) {
	t.Helper()
	must(t, err)
	if err := json.Unmarshal(body, &r); err != nil {
		t.Fatalf("result %q: %v", body, err)
	}
	return r
}

// functionError returns the type and message of an error response.
func functionError(t testing.TB, err error) (kind, message string) {
	t.Helper()
	var s *scf.Error
	var l *lambda.Error
	switch {
	case errors.As(err, &s):
		if s.HasStack || s.ShouldExit {
			t.Errorf("got error %+v, want none with a stack trace or a request to exit", s)
		}
		return s.Type, s.Message
	case errors.As(err, &l):
		if l.StackTrace != nil {
			t.Errorf("got stack trace %s, want none", l.StackTrace)
		}
		return l.Type, l.Message
	}
	t.Fatalf("got error %v, want one from the function", err)
	return "", ""
}

// send sends a request and reads the response.
func send(t testing.TB, method, target, body string, header http.Header) (*http.Response, []byte) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	must(t, err)
	for name, values := range header {
		r.Header[name] = values
	}
	if host := r.Header.Get("Host"); host != "" {
		r.Host = host
	}
	res, err := http.DefaultClient.Do(r)
	must(t, err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	must(t, err)
	return res, b
}

func scfTimerEvent(name string) []byte {
	return fmt.Appendf(nil, `{"Type":"Timer","TriggerName":%q,"Time":"2019-02-21T11:49:00Z","Message":"m"}`, name)
}

func schedulerEvent(name string) []byte {
	return fmt.Appendf(nil, `{"source":"aws.scheduler","resources":["arn:aws:scheduler:us-east-1:123456789012:schedule/default/%s"],"time":"2026-01-02T03:04:00Z"}`, name)
}

// timerEvent returns the event of a platform's timer.
func timerEvent(platform, name string) []byte {
	if platform == "lambda" {
		return schedulerEvent(name)
	}
	return scfTimerEvent(name)
}
