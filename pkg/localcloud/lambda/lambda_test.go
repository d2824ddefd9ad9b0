package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"tocsin/pkg/localcloud/functiontest"
)

// TestMain runs the function, with AWS's own library, when the emulated
// platform starts the test binary.
func TestMain(m *testing.M) {
	if os.Getenv("AWS_LAMBDA_RUNTIME_API") != "" {
		if os.Getenv("ECHO") != "" {
			lambda.Start(functiontest.Echo)
		}
		lambda.Start(handleEvent)
	}
	os.Exit(m.Run())
}

// handleEvent returns the environment of the function, or does what the event
// asks for.
func handleEvent(ctx context.Context, e struct{ Do string }) (map[string]any, error) {
	switch e.Do {
	case "fail":
		return nil, errors.New("requested failure")
	case "panic":
		panic("requested panic")
	case "hang":
		select {}
	case "unknown id":
		res, err := http.Post("http://"+os.Getenv("AWS_LAMBDA_RUNTIME_API")+"/2018-06-01/runtime/invocation/other/response", "", strings.NewReader("{}"))
		if err != nil {
			return nil, err
		}
		return map[string]any{"status": res.StatusCode}, nil
	}
	c, _ := lambdacontext.FromContext(ctx)
	d, _ := ctx.Deadline()
	return map[string]any{
		"id": c.AwsRequestID, "arn": c.InvokedFunctionArn, "name": lambdacontext.FunctionName,
		"deadline": d.UnixMilli(), "own": os.Getenv("OWN"), "home": os.Getenv("HOME"),
	}, nil
}

func start(t *testing.T) *Function {
	t.Helper()
	f, err := Start(Options{Binary: functiontest.Binary(t), Name: "probe", Env: map[string]string{"OWN": "mine"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return f
}

func TestInvoke(t *testing.T) {
	t.Setenv("HOME", "/leaks")
	f := start(t)
	deadline := time.Now().Add(50 * time.Second)
	for _, id := range []string{"id-1", "id-2"} {
		body, err := f.Invoke(t.Context(), []byte(`{}`), InvokeOptions{RequestID: id, Deadline: deadline})
		if err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprintf(`{"arn":"arn:aws:lambda:us-east-1:123456789012:function:probe","deadline":%d,"home":"","id":%q,"name":"probe","own":"mine"}`, deadline.UnixMilli(), id)
		if got := strings.TrimSpace(string(body)); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	}
	body, err := f.Invoke(t.Context(), []byte(`{"Do":"unknown id"}`), InvokeOptions{})
	if got := strings.TrimSpace(string(body)); err != nil || got != `{"status":400}` {
		t.Errorf("response for an unknown request id: got %s, error %v; want status 400", got, err)
	}
}

func TestPeakMemory(t *testing.T) {
	f := start(t)
	if _, err := f.Invoke(t.Context(), []byte(`{}`), InvokeOptions{}); err != nil {
		t.Fatal(err)
	}
	if got, err := f.PeakMemory(); err != nil || got < 1<<20 || got > 1<<30 {
		t.Errorf("got %d bytes, error %v; want a few megabytes", got, err)
	}
	f.Close()
	if got, err := f.PeakMemory(); err == nil {
		t.Errorf("after Close: got %d bytes, want an error", got)
	}
}

func TestInvokeErrors(t *testing.T) {
	f := start(t)
	_, err := f.Invoke(t.Context(), []byte(`{"Do":"fail"}`), InvokeOptions{})
	var got *Error
	if !errors.As(err, &got) || got.Type != "errorString" || got.Message != "requested failure" || got.StackTrace != nil {
		t.Errorf("got %#v, want an errorString without a stack trace", err)
	}
	_, err = f.Invoke(t.Context(), []byte(`{"Do":"panic"}`), InvokeOptions{})
	if !errors.As(err, &got) || got.Message != "requested panic" || !json.Valid(got.StackTrace) {
		t.Errorf("got %#v, want the panic with a stack trace", err)
	}
	// AWS's library exits after a panic.
	if _, err = f.Invoke(t.Context(), []byte(`{}`), InvokeOptions{}); err == nil || !strings.Contains(err.Error(), "exit status 1") {
		t.Errorf("after a panic: got error %v, want exit status 1", err)
	}
}

func TestInvokeKillsAtDeadline(t *testing.T) {
	f := start(t)
	_, err := f.Invoke(t.Context(), []byte(`{"Do":"hang"}`), InvokeOptions{Deadline: time.Now().Add(50 * time.Millisecond)})
	if !errors.Is(err, ErrTimeout) {
		t.Errorf("got error %v, want %v", err, ErrTimeout)
	}
	if _, err := f.Invoke(t.Context(), []byte(`{}`), InvokeOptions{}); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("after the deadline: got error %v, want a killed process", err)
	}
}

func TestStartFails(t *testing.T) {
	if _, err := Start(Options{Binary: "/nowhere/bootstrap"}); err == nil {
		t.Error("got no error, want one")
	}
}
