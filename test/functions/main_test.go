// Package functions drives built functions over the wires of the platforms that
// run them.
package functions

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"tocsin/pkg/localcloud/lambda"
	"tocsin/pkg/localcloud/scf"
)

const echo = "../../pkg/faas/testdata/echo"

// Build tags of scripts/build.
const (
	forSCF    = "scf,timetzdata"
	forLambda = "lambda,lambda.norpc,timetzdata"
)

// binaries is where TestMain builds the functions that all tests share.
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
		for name, tags := range map[string]string{"echo-scf": forSCF, "echo-lambda": forLambda} {
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
		return fmt.Errorf("building %s: %w\n%s", name, err, out)
	}
	return nil
}

func binary(name string) string { return filepath.Join(binaries, name) }

// function is a running function of whichever platform.
type function struct {
	invoke func(ctx context.Context, event []byte) ([]byte, error)
	close  func() (output string)
}

// platforms starts the echo function on each platform.
var platforms = map[string]func(testing.TB, map[string]string) function{
	"scf": func(t testing.TB, env map[string]string) function {
		f, err := scf.StartGo1(t.Context(), scf.Options{Binary: binary("echo-scf"), Name: "lag", Env: env})
		return running(t, f, err, func(ctx context.Context, event []byte) ([]byte, error) {
			return f.Invoke(ctx, event, scf.InvokeOptions{RequestID: "r-1"})
		})
	},
	"scf custom": func(t testing.TB, env map[string]string) function {
		f, err := scf.StartCustom(t.Context(), scf.Options{Binary: binary("echo-scf"), Name: "lag", Env: env})
		return running(t, f, err, func(ctx context.Context, event []byte) ([]byte, error) {
			return f.Invoke(ctx, event, scf.InvokeOptions{RequestID: "r-1"})
		})
	},
	"lambda": func(t testing.TB, env map[string]string) function {
		f, err := lambda.Start(lambda.Options{Binary: binary("echo-lambda"), Name: "lag", Env: env})
		return running(t, f, err, func(ctx context.Context, event []byte) ([]byte, error) {
			return f.Invoke(ctx, event, lambda.InvokeOptions{RequestID: "r-1"})
		})
	},
}

func running(t testing.TB, f interface {
	Output() string
	Close()
}, err error, invoke func(context.Context, []byte) ([]byte, error)) function {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return function{invoke: invoke, close: func() string { f.Close(); return f.Output() }}
}

// answer is what the echo function says.
type answer struct {
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

func decode(t testing.TB, body []byte, err error) (a answer) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(body, &a); err != nil {
		t.Fatalf("answer %q: %v", body, err)
	}
	return a
}

// failure returns the type and message of an error answer.
func failure(t testing.TB, err error) (kind, message string) {
	t.Helper()
	var s *scf.Error
	var l *lambda.Error
	switch {
	case errors.As(err, &s):
		if s.HasStack || s.ShouldExit {
			t.Errorf("the answer carries a stack or asks to exit: %+v", s)
		}
		return s.Type, s.Message
	case errors.As(err, &l):
		if l.StackTrace != nil {
			t.Errorf("the answer carries a stack: %s", l.StackTrace)
		}
		return l.Type, l.Message
	}
	t.Fatalf("not an error answer: %v", err)
	return "", ""
}
