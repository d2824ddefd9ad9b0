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
)

// TestMain is the function when the emulated platform starts the test binary as
// one: Tencent's own library for Go1, and the documented loop for CustomRuntime.
func TestMain(m *testing.M) {
	switch {
	case os.Getenv("SCF_RUNTIME_API") != "":
		pollingFunction()
	case os.Getenv("_LAMBDA_SERVER_PORT") != "" && strings.HasSuffix(os.Getenv("SCF_FUNCTIONNAME"), "mirror"):
		cloudfunction.Start(mirror)
	case os.Getenv("_LAMBDA_SERVER_PORT") != "":
		cloudfunction.Start(handle)
	default:
		os.Exit(m.Run())
	}
}

// handle answers with what a function can see, or does as the event's Do says.
func handle(ctx context.Context, e struct{ Do string }) (map[string]any, error) {
	switch e.Do {
	case "fail":
		return nil, errors.New("failed as asked")
	case "panic":
		panic("panicked as asked")
	case "exit":
		fmt.Println("last words")
		os.Exit(3)
	case "hang":
		select {}
	}
	seen := map[string]any{"token": os.Getenv("TENCENTCLOUD_SESSIONTOKEN"), "own": os.Getenv("OWN"), "home": os.Getenv("HOME")}
	if d, ok := ctx.Deadline(); ok {
		seen["deadline"] = d.UnixMilli()
	}
	if c, ok := functioncontext.FromContext(ctx); ok {
		seen["id"], seen["name"], seen["limit"] = c.RequestID, c.FunctionName, c.TimeLimitInMs
	}
	return seen, nil
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
		fmt.Println("an event before ready", err)
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
		seen, err := handle(context.Background(), e)
		if err != nil {
			post("invocation/error", err.Error())
			continue
		}
		seen["id"], seen["limit"] = res.Header.Get("request_id"), res.Header.Get("time_limit_in_ms")
		body, _ := json.Marshal(seen)
		post("invocation/response", string(body))
	}
}

func options(t *testing.T) Options {
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return Options{Binary: binary, Name: "probe", Env: map[string]string{"OWN": "mine"}, Timeout: 50 * time.Second}
}

func startGo1(t *testing.T) *Go1 {
	t.Helper()
	g, err := StartGo1(t.Context(), options(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	return g
}

func startCustom(t *testing.T) *Custom {
	t.Helper()
	c, err := StartCustom(t.Context(), options(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func decode(t *testing.T, body []byte, err error) map[string]any {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	var seen map[string]any
	if err := json.Unmarshal(body, &seen); err != nil {
		t.Fatalf("answer %q: %v", body, err)
	}
	return seen
}

func expect(t *testing.T, seen map[string]any, want map[string]any) {
	t.Helper()
	for k, v := range want {
		if fmt.Sprint(seen[k]) != fmt.Sprint(v) {
			t.Errorf("%s: the function saw %v, want %v", k, seen[k], v)
		}
	}
}

func TestGo1WithTencentsLibrary(t *testing.T) {
	t.Setenv("HOME", "/leaks")
	g := startGo1(t)
	deadline := time.Now().Add(40 * time.Second)
	for _, token := range []string{"first", "second"} {
		body, err := g.Invoke(t.Context(), []byte(`{}`), InvokeOptions{
			RequestID: "id-" + token, Deadline: deadline,
			Environment: map[string]string{"TENCENTCLOUD_SESSIONTOKEN": token},
		})
		seen := decode(t, body, err)
		expect(t, seen, map[string]any{"token": token, "own": "mine", "home": "", "id": "id-" + token, "name": "probe", "limit": 50000})
		if got := int64(seen["deadline"].(float64)); got != deadline.UnixMilli() {
			t.Errorf("deadline is %d, want %d", got, deadline.UnixMilli())
		}
	}
}

func TestGo1EpochDeadlineHasExpired(t *testing.T) {
	g := startGo1(t)
	body, err := g.Invoke(t.Context(), []byte(`{}`), InvokeOptions{Deadline: time.Unix(0, 0)})
	expect(t, decode(t, body, err), map[string]any{"deadline": 0})
}

func TestGo1Errors(t *testing.T) {
	g := startGo1(t)
	for _, c := range []struct {
		event string
		want  Error
	}{
		{`{"Do":"fail"}`, Error{Type: "errorString", Message: "failed as asked"}},
		{`{"Do":"panic"}`, Error{Type: "string", Message: "panicked as asked", HasStack: true, ShouldExit: true}},
		{`{"Do":`, Error{Type: "SyntaxError", Message: "unexpected end of JSON input"}},
	} {
		_, err := g.Invoke(t.Context(), []byte(c.event), InvokeOptions{})
		var got *Error
		if !errors.As(err, &got) || *got != c.want {
			t.Errorf("%s: %#v, want %#v", c.event, err, c.want)
		}
	}
	body, err := g.Invoke(t.Context(), []byte(`{}`), InvokeOptions{})
	expect(t, decode(t, body, err), map[string]any{"own": "mine"}) // it lives on
}

func TestCustom(t *testing.T) {
	t.Setenv("HOME", "/leaks")
	c := startCustom(t)
	body, err := c.Invoke(t.Context(), []byte(`{}`), InvokeOptions{RequestID: "id-1"})
	expect(t, decode(t, body, err), map[string]any{"own": "mine", "home": "", "id": "id-1", "limit": "50000"})

	_, err = c.Invoke(t.Context(), []byte(`{"Do":"fail"}`), InvokeOptions{})
	var got *Error
	if want := (Error{Message: "failed as asked"}); !errors.As(err, &got) || *got != want {
		t.Errorf("%#v, want %#v", err, want)
	}
	if _, err := c.Invoke(t.Context(), []byte(`{}`), InvokeOptions{Environment: map[string]string{}}); err == nil {
		t.Error("a new environment was taken")
	}
}

// platform is what both runtimes offer.
type platform interface {
	Invoke(context.Context, []byte, InvokeOptions) ([]byte, error)
	Output() string
	Close()
}

func TestDeath(t *testing.T) {
	for name, start := range map[string]func(*testing.T) platform{
		"go1":    func(t *testing.T) platform { return startGo1(t) },
		"custom": func(t *testing.T) platform { return startCustom(t) },
	} {
		t.Run(name+"/exit", func(t *testing.T) {
			p := start(t)
			_, err := p.Invoke(t.Context(), []byte(`{"Do":"exit"}`), InvokeOptions{})
			if err == nil || !strings.Contains(err.Error(), "exit status 3") || !strings.Contains(err.Error(), "last words") {
				t.Errorf("got %v", err)
			}
			if _, err := p.Invoke(t.Context(), []byte(`{}`), InvokeOptions{}); err == nil {
				t.Error("a dead function answered")
			}
			if got := p.Output(); got != "last words\n" {
				t.Errorf("output %q", got)
			}
		})
		t.Run(name+"/deadline", func(t *testing.T) {
			p := start(t)
			_, err := p.Invoke(t.Context(), []byte(`{"Do":"hang"}`), InvokeOptions{Deadline: time.Now().Add(50 * time.Millisecond)})
			if !errors.Is(err, ErrTimeout) {
				t.Errorf("got %v", err)
			}
			if _, err := p.Invoke(t.Context(), []byte(`{}`), InvokeOptions{}); err == nil || !strings.Contains(err.Error(), "killed") {
				t.Errorf("after the deadline the process lives: %v", err)
			}
		})
		t.Run(name+"/cancel", func(t *testing.T) {
			p := start(t)
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			if _, err := p.Invoke(ctx, []byte(`{"Do":"hang"}`), InvokeOptions{}); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestStartOfSomethingElse(t *testing.T) {
	for _, binary := range []string{"/nowhere/main", "/bin/false"} {
		o := Options{Binary: binary}
		if _, err := StartGo1(t.Context(), o); err == nil {
			t.Errorf("%s started as Go1", binary)
		}
		if _, err := StartCustom(t.Context(), o); err == nil {
			t.Errorf("%s started as CustomRuntime", binary)
		}
	}
}
