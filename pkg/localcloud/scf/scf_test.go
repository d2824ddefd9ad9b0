package scf

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/tencentyun/scf-go-lib/cloudfunction"
	"github.com/tencentyun/scf-go-lib/functioncontext"

	"tocsin/pkg/localcloud/functiontest"
)

// TestMain runs the function when the emulated platform starts the test binary:
// with Tencent's own library for Go1, and the documented loop for
// CustomRuntime.
func TestMain(m *testing.M) {
	switch {
	case os.Getenv("SCF_RUNTIME_API") != "":
		pollingFunction()
	case os.Getenv("_LAMBDA_SERVER_PORT") != "" && strings.HasSuffix(os.Getenv("SCF_FUNCTIONNAME"), "echo"):
		cloudfunction.Start(functiontest.Echo)
	case os.Getenv("_LAMBDA_SERVER_PORT") != "":
		cloudfunction.Start(handleEvent)
	default:
		os.Exit(m.Run())
	}
}

// handleEvent returns the environment of the function, or does what the event
// asks for.
func handleEvent(ctx context.Context, e struct{ Do string }) (map[string]any, error) {
	switch e.Do {
	case "fail":
		return nil, errors.New("requested failure")
	case "panic":
		panic("requested panic")
	case "exit":
		fmt.Println("last output")
		os.Exit(3)
	case "hang":
		select {}
	}
	values := map[string]any{"token": os.Getenv("TENCENTCLOUD_SESSIONTOKEN"), "own": os.Getenv("OWN"), "home": os.Getenv("HOME")}
	if d, ok := ctx.Deadline(); ok {
		values["deadline"] = d.UnixMilli()
	}
	if c, ok := functioncontext.FromContext(ctx); ok {
		values["id"], values["name"], values["limit"] = c.RequestID, c.FunctionName, c.TimeLimitInMs
	}
	return values, nil
}

func pollingFunction() {
	base := "http://" + os.Getenv("SCF_RUNTIME_API") + ":" + os.Getenv("SCF_RUNTIME_API_PORT") + "/runtime/"
	post := func(path, body string) {
		res, err := http.Post(base+path, "text/plain", strings.NewReader(body))
		if err != nil || res.StatusCode != http.StatusOK {
			fmt.Println(path, err, res)
			os.Exit(1)
		}
	}
	if res, err := http.Get(base + "invocation/next"); err != nil || res.StatusCode == http.StatusOK {
		fmt.Println("got an event before init/ready, error", err)
		os.Exit(1)
	}
	post("init/ready", " ")
	for {
		res, err := http.Get(base + "invocation/next")
		if err != nil {
			os.Exit(1)
		}
		event, _ := io.ReadAll(res.Body)
		var e struct{ Do string }
		_ = json.Unmarshal(event, &e)
		values, err := handleEvent(context.Background(), e)
		if err != nil {
			post("invocation/error", err.Error())
			continue
		}
		values["id"], values["limit"] = res.Header.Get("request_id"), res.Header.Get("time_limit_in_ms")
		body, _ := json.Marshal(values)
		post("invocation/response", string(body))
	}
}

func testOptions(t *testing.T) Options {
	return Options{Binary: functiontest.Binary(t), Name: "probe", Env: map[string]string{"OWN": "mine"}, Timeout: 50 * time.Second}
}

func startGo1(t *testing.T) *Go1 {
	t.Helper()
	g, err := StartGo1(t.Context(), testOptions(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	return g
}

func startCustom(t *testing.T) *Custom {
	t.Helper()
	c, err := StartCustom(t.Context(), testOptions(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func decodeObject(t *testing.T, body []byte, err error) map[string]any {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	var values map[string]any
	if err := json.Unmarshal(body, &values); err != nil {
		t.Fatalf("response %q: %v", body, err)
	}
	return values
}

func checkValues(t *testing.T, values map[string]any, want map[string]any) {
	t.Helper()
	for k, v := range want {
		if fmt.Sprint(values[k]) != fmt.Sprint(v) {
			t.Errorf("%s: got %v, want %v", k, values[k], v)
		}
	}
}

func TestGo1Environment(t *testing.T) {
	t.Setenv("HOME", "/leaks")
	g := startGo1(t)
	deadline := time.Now().Add(40 * time.Second)
	for _, token := range []string{"first", "second"} {
		body, err := g.Invoke(t.Context(), []byte(`{}`), InvokeOptions{
			RequestID: "id-" + token, Deadline: deadline,
			Environment: map[string]string{"TENCENTCLOUD_SESSIONTOKEN": token},
		})
		values := decodeObject(t, body, err)
		checkValues(t, values, map[string]any{"token": token, "own": "mine", "home": "", "id": "id-" + token, "name": "probe", "limit": 50000})
		if got := int64(values["deadline"].(float64)); got != deadline.UnixMilli() {
			t.Errorf("deadline: got %d, want %d", got, deadline.UnixMilli())
		}
	}
}

func TestGo1SendsEpochDeadline(t *testing.T) {
	g := startGo1(t)
	body, err := g.Invoke(t.Context(), []byte(`{}`), InvokeOptions{Deadline: time.Unix(0, 0)})
	checkValues(t, decodeObject(t, body, err), map[string]any{"deadline": 0})
}

func TestGo1Errors(t *testing.T) {
	g := startGo1(t)
	for _, c := range []struct {
		name  string
		event string
		want  Error
	}{
		{"error", `{"Do":"fail"}`, Error{Type: "errorString", Message: "requested failure"}},
		{"panic", `{"Do":"panic"}`, Error{Type: "string", Message: "requested panic", HasStack: true, ShouldExit: true}},
		{"invalid event", `{"Do":`, Error{Type: "SyntaxError", Message: "unexpected end of JSON input"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := g.Invoke(t.Context(), []byte(c.event), InvokeOptions{})
			var got *Error
			if !errors.As(err, &got) || *got != c.want {
				t.Errorf("got error %#v, want %#v", err, c.want)
			}
		})
	}
	body, err := g.Invoke(t.Context(), []byte(`{}`), InvokeOptions{})
	checkValues(t, decodeObject(t, body, err), map[string]any{"own": "mine"}) // the process continues
}

func TestCustomRuntime(t *testing.T) {
	t.Setenv("HOME", "/leaks")
	c := startCustom(t)
	body, err := c.Invoke(t.Context(), []byte(`{}`), InvokeOptions{RequestID: "id-1"})
	checkValues(t, decodeObject(t, body, err), map[string]any{"own": "mine", "home": "", "id": "id-1", "limit": "50000"})

	_, err = c.Invoke(t.Context(), []byte(`{"Do":"fail"}`), InvokeOptions{})
	var got *Error
	if want := (Error{Message: "requested failure"}); !errors.As(err, &got) || *got != want {
		t.Errorf("got error %#v, want %#v", err, want)
	}
	if _, err := c.Invoke(t.Context(), []byte(`{}`), InvokeOptions{Environment: map[string]string{}}); err == nil {
		t.Error("InvokeOptions.Environment: got no error, want one")
	}
}

// platform is the common interface of both runtimes.
type platform interface {
	Invoke(context.Context, []byte, InvokeOptions) ([]byte, error)
	Output() string
	Close()
}

func TestProcessEnds(t *testing.T) {
	for name, start := range map[string]func(*testing.T) platform{
		"go1":    func(t *testing.T) platform { return startGo1(t) },
		"custom": func(t *testing.T) platform { return startCustom(t) },
	} {
		t.Run(name+"/exit", func(t *testing.T) {
			p := start(t)
			_, err := p.Invoke(t.Context(), []byte(`{"Do":"exit"}`), InvokeOptions{})
			if err == nil || !strings.Contains(err.Error(), "exit status 3") || !strings.Contains(err.Error(), "last output") {
				t.Errorf("got error %v, want the exit status and the last output", err)
			}
			if _, err := p.Invoke(t.Context(), []byte(`{}`), InvokeOptions{}); err == nil {
				t.Error("after the exit: got no error, want one")
			}
			if got := p.Output(); got != "last output\n" {
				t.Errorf("output: got %q, want the last output", got)
			}
		})
		t.Run(name+"/deadline", func(t *testing.T) {
			p := start(t)
			_, err := p.Invoke(t.Context(), []byte(`{"Do":"hang"}`), InvokeOptions{Deadline: time.Now().Add(50 * time.Millisecond)})
			if !errors.Is(err, ErrTimeout) {
				t.Errorf("got error %v, want %v", err, ErrTimeout)
			}
			if _, err := p.Invoke(t.Context(), []byte(`{}`), InvokeOptions{}); err == nil || !strings.Contains(err.Error(), "killed") {
				t.Errorf("after the deadline: got error %v, want a killed process", err)
			}
		})
		t.Run(name+"/cancel", func(t *testing.T) {
			p := start(t)
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if _, err := p.Invoke(ctx, []byte(`{"Do":"hang"}`), InvokeOptions{}); !errors.Is(err, context.Canceled) {
				t.Errorf("got error %v, want %v", err, context.Canceled)
			}
		})
	}
}

func TestStartFails(t *testing.T) {
	for _, binary := range []string{"/nowhere/main", "/bin/false"} {
		o := Options{Binary: binary}
		if _, err := StartGo1(t.Context(), o); err == nil {
			t.Errorf("StartGo1(%s): got no error, want one", binary)
		}
		if _, err := StartCustom(t.Context(), o); err == nil {
			t.Errorf("StartCustom(%s): got no error, want one", binary)
		}
	}
}
