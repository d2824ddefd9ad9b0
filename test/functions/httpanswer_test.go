package functions

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"tocsin/pkg/localcloud/lambda"
	"tocsin/pkg/localcloud/scf"
)

// TestHTTPAnswer: what the handler answers reaches the client.
func TestHTTPAnswer(t *testing.T) {
	for name, start := range fronts {
		t.Run(name, func(t *testing.T) {
			f := start(t)

			res, body := do(t, "GET", f.url+"/cookies", "", nil)
			cookies := res.Header.Values("Set-Cookie")
			slices.Sort(cookies)
			if want := []string{"one=1; Expires=Wed, 02 Jan 2030 03:04:05 GMT", "three=3", "two=2"}; !slices.Equal(cookies, want) {
				t.Errorf("cookies %q, want %q", cookies, want)
			}
			if vary := strings.Join(res.Header.Values("Vary"), ", "); res.StatusCode != 204 || len(body) != 0 || vary != "Accept, Origin" {
				t.Errorf("%s %q, Vary %q", res.Status, body, vary)
			}

			res, body = do(t, "GET", f.url+"/binary", "", nil)
			if len(body) != 256 || body[255] != 255 || body[128] != 128 || res.Header.Get("Content-Type") != "application/octet-stream" {
				t.Errorf("binary: %s %q", res.Header, body)
			}

			for _, code := range []int{201, 302, 404, 429, 503, 599} {
				if res, _ := do(t, "GET", f.url+"/status/"+strconv.Itoa(code), "", nil); res.StatusCode != code {
					t.Errorf("%s, want %d", res.Status, code)
				}
			}

			res, body = do(t, "HEAD", f.url+"/binary", "", nil)
			if res.StatusCode != 200 || len(body) != 0 {
				t.Errorf("HEAD: %s %q", res.Status, body)
			}
		})
	}
}

// TestHTTPPanic: a panic is a 500 that does not say why, the log has the stack,
// and the instance lives on.
func TestHTTPPanic(t *testing.T) {
	for name, start := range fronts {
		t.Run(name, func(t *testing.T) {
			f := start(t)
			res, body := do(t, "POST", f.url+"/panic?token=hush", "{}", nil)
			if res.StatusCode != 500 || !strings.HasPrefix(string(body), "the function panicked; the log of request ") || strings.Contains(string(body), "secret-of-the-panic") {
				t.Errorf("%s %s", res.Status, body)
			}
			if s := ask(t, "GET", f.url+"/", "", nil); s.Builds != 1 || s.Invocation.Cold {
				t.Errorf("after a panic the instance was replaced: %+v", s)
			}
			f.close()
			output := f.output()
			if !strings.Contains(output, "secret-of-the-panic") || !strings.Contains(output, "main.build") || strings.Contains(output, "hush") {
				t.Errorf("the log has no panic or stack, or a secret:\n%s", output)
			}
			var statuses []int
			for line := range strings.Lines(output) {
				var l struct {
					Msg, Method, Path string
					RequestID         string `json:"request_id"`
					Status            int
				}
				if err := json.Unmarshal([]byte(line), &l); err != nil {
					t.Errorf("a line that is no JSON: %s", line)
				}
				if l.RequestID == "" || l.Msg == "invocation" && (l.Method == "" || l.Path == "") {
					t.Errorf("a line without request: %s", line)
				}
				if l.Msg == "invocation" {
					statuses = append(statuses, l.Status)
				}
			}
			if !slices.Equal(statuses, []int{500, 200}) {
				t.Errorf("statuses in the log: %v", statuses)
			}
		})
	}
}

// TestHTTPOneAtATime: an instance has one event at a time, however many clients.
func TestHTTPOneAtATime(t *testing.T) {
	for name, start := range fronts {
		t.Run(name, func(t *testing.T) {
			f := start(t)
			var wg sync.WaitGroup
			for range 8 {
				wg.Go(func() {
					res, err := http.Get(f.url + "/together")
					if err != nil {
						t.Error(err)
						return
					}
					defer res.Body.Close()
					if b, err := io.ReadAll(res.Body); err != nil || string(b) != "1\n" {
						t.Errorf("%s requests at once, %v", b, err)
					}
				})
			}
			wg.Wait()
		})
	}
}

// TestHTTPTimerEvent: what is no request is an error, never an answer.
func TestHTTPTimerEvent(t *testing.T) {
	f := startSCF(t)
	for event, want := range map[string]string{
		string(scfTimer("minute")):          "the event is a timer's (scf.timer), and this function takes HTTP requests: remove its timer trigger",
		string(scheduler("minute")):         "the event is a timer's (aws.scheduler), and this function takes HTTP requests: remove its timer trigger",
		`{"Records":[{"token":"hush"}]}`:    `the event is not an HTTP request's, its keys are "Records": call this function through a function URL, an API gateway or a load balancer`,
		`{"httpMethod":"GET","headers":{}}`: `the event is not an HTTP request's, its keys are "headers", "httpMethod": call this function through a function URL, an API gateway or a load balancer`,
	} {
		_, err := f.Invoke(t.Context(), []byte(event), scf.InvokeOptions{})
		if _, got := failure(t, err); got != want {
			t.Errorf("answered %s, want %s", got, want)
		}
	}
}

// TestHTTPBrokenConfiguration: the client is told nothing, the log everything,
// and the first request after it is mended is served.
func TestHTTPBrokenConfiguration(t *testing.T) {
	needWeb(t)
	l, err := lambda.Start(lambda.Options{Binary: binary("web-lambda"), Env: map[string]string{"WEB_CONFIG": "broken"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	res, body := do(t, "GET", l.Serve(lambda.FunctionURL)+"/", "", nil)
	if res.StatusCode != 502 || strings.Contains(string(body), "tocsin.yaml") {
		t.Errorf("%s %s", res.Status, body)
	}
	l.Close()
	if out := l.Output(); !strings.Contains(out, "the function cannot start: tocsin.yaml:3: unknown key") {
		t.Errorf("log\n%s", out)
	}

	f := startSCF(t)
	event := []byte(`{"httpMethod":"GET","path":"/","headers":{}}`)
	for _, c := range []struct {
		config string
		fails  bool
	}{{"broken", true}, {"good", false}} {
		_, err := f.Invoke(t.Context(), event, scf.InvokeOptions{Environment: map[string]string{"WEB_CONFIG": c.config}})
		if (err != nil) != c.fails {
			t.Errorf("configuration %s: %v", c.config, err)
		}
	}
}
