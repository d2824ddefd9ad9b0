package functions

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"tocsin/pkg/faas"
	"tocsin/pkg/localcloud/lambda"
	"tocsin/pkg/localcloud/scf"
)

const web = "../../pkg/faas/testdata/web"

// buildWeb builds the HTTP function once for all tests.
var buildWeb = sync.OnceValue(func() error {
	if err := build("web-scf", scfTags, web); err != nil {
		return err
	}
	return build("web-lambda", lambdaTags, web)
})

// httpFunction is a running HTTP function with an HTTP trigger.
type httpFunction struct {
	url    string
	close  func()
	output func() string
}

// httpFunctions starts the HTTP function with each HTTP trigger.
var httpFunctions = map[string]func(testing.TB) httpFunction{
	"scf function url": func(t testing.TB) httpFunction {
		f := startWebOnSCF(t)
		return httpFunction{f.Serve(scf.FunctionURL), f.Close, f.Output}
	},
	"scf api gateway": func(t testing.TB) httpFunction {
		f := startWebOnSCF(t)
		return httpFunction{f.Serve(scf.APIGateway), f.Close, f.Output}
	},
	"scf custom function url": func(t testing.TB) httpFunction {
		ensureWeb(t)
		f := startCustom(t, "web-scf", "webhook", nil)
		return httpFunction{f.Serve(scf.FunctionURL), f.Close, f.Output}
	},
	"lambda function url":    startWebOnLambda(lambda.FunctionURL),
	"lambda http api":        startWebOnLambda(lambda.HTTPAPI),
	"lambda rest api":        startWebOnLambda(lambda.RESTAPI),
	"lambda alb":             startWebOnLambda(lambda.ALB),
	"lambda alb multi-value": startWebOnLambda(lambda.ALBMultiValue),
}

func ensureWeb(t testing.TB) {
	t.Helper()
	must(t, buildWeb())
}

func startWebOnSCF(t testing.TB) *scf.Go1 {
	t.Helper()
	ensureWeb(t)
	return startGo1(t, "web-scf", "webhook", nil)
}

func startWebOnLambda(trigger lambda.HTTPTrigger) func(testing.TB) httpFunction {
	return func(t testing.TB) httpFunction {
		ensureWeb(t)
		f := startLambda(t, "web-lambda", "webhook", nil)
		return httpFunction{f.Serve(trigger), f.Close, f.Output}
	}
}

// echoedRequest is the request as the function's handler got it.
type echoedRequest struct {
	Method, Path, RawPath, URI, Host, Remote string
	Query                                    url.Values
	Header                                   http.Header
	Length                                   int64
	Body                                     []byte
	Deadline                                 int64
	Invocation                               faas.Invocation
	Builds                                   int
}

func sendForEcho(t testing.TB, method, target, body string, header http.Header) (e echoedRequest) {
	t.Helper()
	res, b := send(t, method, target, body, header)
	if res.StatusCode != http.StatusOK {
		t.Fatalf("got %s, body %s; want 200", res.Status, b)
	}
	if err := json.Unmarshal(b, &e); err != nil {
		t.Fatalf("body %q: %v", b, err)
	}
	return e
}

// TestHTTPRequests checks that the handler gets the client's request through
// every trigger.
func TestHTTPRequests(t *testing.T) {
	for name, start := range httpFunctions {
		t.Run(name, func(t *testing.T) {
			f := start(t)
			// HTTP APIs unescape paths, including slashes.
			rawPath := "/a%2Fb/%E4%B8%AD%20%3F"
			if name == "lambda http api" {
				rawPath = "/a/b/%E4%B8%AD%20%3F"
			}
			// A load balancer without multi-value headers keeps only the last
			// value.
			labels := []string{"a:b", "c&d=e+f/中 "}
			if name == "lambda alb" {
				labels = labels[1:]
			}
			before := time.Now()
			e := sendForEcho(t, "POST", f.url+"/a%2Fb/%E4%B8%AD%20%3F?label=a:b&label=c%26d%3De%2Bf/%E4%B8%AD+&bare&token=x%3D", `{"状态": "firing"}`, http.Header{
				"Host":          {"hooks.example.com"},
				"Content-Type":  {"application/json"},
				"Authorization": {`Digest username="u", realm="r, s"`},
				"Date":          {"Tue, 15 Nov 1994 08:12:31 GMT"},
				"Cookie":        {"one=1; two=2"},
			})
			if e.Method != "POST" || e.Path != "/a/b/中 ?" || e.RawPath != rawPath {
				t.Errorf("got %s %q, escaped %q; want escaped %q", e.Method, e.Path, e.RawPath, rawPath)
			}
			if path, _, _ := strings.Cut(e.URI, "?"); path != rawPath {
				t.Errorf("request URI: got %q, want path %q", e.URI, rawPath)
			}
			if !slices.Equal(e.Query["label"], labels) || !e.Query.Has("bare") || e.Query.Get("bare") != "" || e.Query.Get("token") != "x=" || len(e.Query) != 3 {
				t.Errorf("query: got %q, want labels %q, bare and token", e.Query, labels)
			}
			for name, want := range map[string]string{
				"Content-Type":  "application/json",
				"Authorization": `Digest username="u", realm="r, s"`,
				"Date":          "Tue, 15 Nov 1994 08:12:31 GMT",
				"Cookie":        "one=1; two=2",
				"Host":          "",
			} {
				if got := strings.Join(e.Header.Values(name), "|"); got != want {
					t.Errorf("header %s: got %q, want %q", name, got, want)
				}
			}
			if e.Host != "hooks.example.com" || e.Remote != "127.0.0.1:0" {
				t.Errorf("got host %q, remote %q; want hooks.example.com, 127.0.0.1:0", e.Host, e.Remote)
			}
			if string(e.Body) != `{"状态": "firing"}` || e.Length != 20 {
				t.Errorf("got body %q, length %d; want that of the request", e.Body, e.Length)
			}
			// The emulated platforms have a time limit of 60 s.
			if left := time.UnixMilli(e.Deadline).Sub(before); left < 59*time.Second || left > 90*time.Second {
				t.Errorf("got %v to the deadline, want 60s", left)
			}
			if e.Invocation.Function != "webhook" || e.Invocation.RequestID == "" || !e.Invocation.Cold || e.Builds != 1 {
				t.Errorf("got %+v, %d builds; want a cold start of webhook", e.Invocation, e.Builds)
			}

			e = sendForEcho(t, "GET", f.url+"/", "", nil)
			if e.Method != "GET" || e.Path != "/" || len(e.Query) != 0 || len(e.Body) != 0 || e.Length != 0 || e.Invocation.Cold || e.Builds != 1 {
				t.Errorf("second request: got %+v, want GET / without a body, warm", e)
			}
		})
	}
}

// TestHTTPBinaryRequests sends a binary body, which SCF's function URL does not
// support.
func TestHTTPBinaryRequests(t *testing.T) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	for name, start := range httpFunctions {
		if strings.HasSuffix(name, "function url") && strings.HasPrefix(name, "scf") {
			continue
		}
		t.Run(name, func(t *testing.T) {
			e := sendForEcho(t, "PUT", start(t).url+"/report", string(all), http.Header{"Content-Type": {"application/octet-stream"}})
			if e.Method != "PUT" || !bytes.Equal(e.Body, all) || e.Length != 256 {
				t.Errorf("got %s, body %q, length %d; want PUT, all bytes", e.Method, e.Body, e.Length)
			}
		})
	}
}

// TestHTTPSizeLimits sends the largest allowed and larger bodies in both
// directions.
func TestHTTPSizeLimits(t *testing.T) {
	for name, c := range map[string]struct{ request, tooLarge, response int }{
		// An event has up to 6 MB. In JSON, a character of text takes one byte,
		// and a zero byte six: \u0000. A load balancer's limit of 1 MB is for
		// bodies.
		"scf function url":    {5 << 20, 6<<20 + 1, 1000_000},
		"lambda function url": {5 << 20, 6<<20 + 1, 1000_000},
		"lambda alb":          {1 << 20, 1<<20 + 1, 170_000},
	} {
		t.Run(name, func(t *testing.T) {
			f := httpFunctions[name](t)
			header := http.Header{"Content-Type": {"text/plain"}}
			if _, body := send(t, "POST", f.url+"/length", strings.Repeat("x", c.request), header); string(body) != strconv.Itoa(c.request)+"\n" {
				t.Errorf("request of %d bytes: got %s bytes in the function, want all", c.request, body)
			}
			if res, _ := send(t, "POST", f.url+"/length", strings.Repeat("x", c.tooLarge), header); res.StatusCode != 413 {
				t.Errorf("request of %d bytes: got %s, want 413", c.tooLarge, res.Status)
			}
			if res, body := send(t, "GET", f.url+"/size/"+strconv.Itoa(c.response), "", nil); res.StatusCode != 200 || len(body) != c.response {
				t.Errorf("response of %d bytes: got %s, %d bytes; want 200 and all", c.response, res.Status, len(body))
			}
			for _, n := range []int{2 * c.response, 7 << 20} { // too large as JSON, and too large as it is
				if res, body := send(t, "GET", f.url+"/size/"+strconv.Itoa(n), "", nil); res.StatusCode != 500 || string(body) != "the answer is too large\n" {
					t.Errorf("response of %d bytes: got %s, %d bytes; want 500", n, res.Status, len(body))
				}
			}
		})
	}
}

// TestHTTPResponses checks that the client gets the handler's response through
// every trigger.
func TestHTTPResponses(t *testing.T) {
	for name, start := range httpFunctions {
		t.Run(name, func(t *testing.T) {
			f := start(t)

			res, body := send(t, "GET", f.url+"/cookies", "", nil)
			cookies := res.Header.Values("Set-Cookie")
			slices.Sort(cookies)
			if want := []string{"one=1; Expires=Wed, 02 Jan 2030 03:04:05 GMT", "three=3", "two=2"}; !slices.Equal(cookies, want) {
				t.Errorf("cookies: got %q, want %q", cookies, want)
			}
			if vary := strings.Join(res.Header.Values("Vary"), ", "); res.StatusCode != 204 || len(body) != 0 || vary != "Accept, Origin" {
				t.Errorf("got %s, body %q, Vary %q; want 204, Accept, Origin", res.Status, body, vary)
			}

			res, body = send(t, "GET", f.url+"/binary", "", nil)
			if len(body) != 256 || body[255] != 255 || body[128] != 128 || res.Header.Get("Content-Type") != "application/octet-stream" {
				t.Errorf("binary body: got headers %s, body %q; want all bytes", res.Header, body)
			}

			for _, code := range []int{201, 302, 404, 429, 503, 599} {
				if res, _ := send(t, "GET", f.url+"/status/"+strconv.Itoa(code), "", nil); res.StatusCode != code {
					t.Errorf("got %s, want %d", res.Status, code)
				}
			}

			res, body = send(t, "HEAD", f.url+"/binary", "", nil)
			if res.StatusCode != 200 || len(body) != 0 {
				t.Errorf("HEAD: got %s, body %q; want 200 without a body", res.Status, body)
			}
		})
	}
}

// TestHTTPPanics checks that a panic becomes status 500 without the reason,
// that the log has the stack trace, and that the instance continues.
func TestHTTPPanics(t *testing.T) {
	for name, start := range httpFunctions {
		t.Run(name, func(t *testing.T) {
			f := start(t)
			res, body := send(t, "POST", f.url+"/panic?token=hush", "{}", nil)
			if res.StatusCode != 500 || !strings.HasPrefix(string(body), "the function panicked; the log of request ") || strings.Contains(string(body), "secret-of-the-panic") {
				t.Errorf("got %s, body %s; want 500 that refers to the log", res.Status, body)
			}
			if e := sendForEcho(t, "GET", f.url+"/", "", nil); e.Builds != 1 || e.Invocation.Cold {
				t.Errorf("after a panic: got %+v, want the same instance", e)
			}
			f.close()
			output := f.output()
			if !strings.Contains(output, "secret-of-the-panic") || !strings.Contains(output, "main.build") || strings.Contains(output, "hush") {
				t.Errorf("log: got\n%s\nwant the panic with its stack trace and no token", output)
			}
			var statuses []int
			for line := range strings.Lines(output) {
				var l struct {
					Msg, Method, Path string
					RequestID         string `json:"request_id"`
					Status            int
				}
				if err := json.Unmarshal([]byte(line), &l); err != nil {
					t.Errorf("log line %q: got %v, want JSON", line, err)
				}
				if l.RequestID == "" || l.Msg == "invocation" && (l.Method == "" || l.Path == "") {
					t.Errorf("log: got %s, want method, path and request_id", line)
				}
				if l.Msg == "invocation" {
					statuses = append(statuses, l.Status)
				}
			}
			if !slices.Equal(statuses, []int{500, 200}) {
				t.Errorf("log: got statuses %v, want 500, 200", statuses)
			}
		})
	}
}

// TestHTTPConcurrency checks that an instance gets one event at a time from
// several clients.
func TestHTTPConcurrency(t *testing.T) {
	for name, start := range httpFunctions {
		t.Run(name, func(t *testing.T) {
			f := start(t)
			var clients errgroup.Group
			for range 8 {
				clients.Go(func() error {
					res, err := http.Get(f.url + "/together")
					if err != nil {
						return err
					}
					defer res.Body.Close()
					b, err := io.ReadAll(res.Body)
					if string(b) != "1\n" {
						t.Errorf("got %q concurrent requests, want 1", b)
					}
					return err
				})
			}
			must(t, clients.Wait())
		})
	}
}

// TestHTTPRejectsOtherEvents checks that the function returns an error for an event that
// is not an HTTP request.
func TestHTTPRejectsOtherEvents(t *testing.T) {
	f := startWebOnSCF(t)
	for event, want := range map[string]string{
		string(scfTimerEvent("minute")):     "the event is a timer's (scf.timer), and this function takes HTTP requests: remove its timer trigger",
		string(schedulerEvent("minute")):    "the event is a timer's (aws.scheduler), and this function takes HTTP requests: remove its timer trigger",
		`{"Records":[{"token":"hush"}]}`:    `the event is not an HTTP request's, its keys are "Records": call this function through a function URL, an API gateway or a load balancer`,
		`{"httpMethod":"GET","headers":{}}`: `the event is not an HTTP request's, its keys are "headers", "httpMethod": call this function through a function URL, an API gateway or a load balancer`,
	} {
		t.Run(event, func(t *testing.T) {
			_, err := f.Invoke(t.Context(), []byte(event), scf.InvokeOptions{})
			if _, got := functionError(t, err); got != want {
				t.Errorf("got error %s, want %s", got, want)
			}
		})
	}
}

// TestHTTPInvalidConfiguration checks that only the log has the reason, and that the
// first request after the configuration is corrected succeeds.
func TestHTTPInvalidConfiguration(t *testing.T) {
	ensureWeb(t)
	l := startLambda(t, "web-lambda", "webhook", map[string]string{"WEB_CONFIG": "broken"})
	res, body := send(t, "GET", l.Serve(lambda.FunctionURL)+"/", "", nil)
	if res.StatusCode != 502 || strings.Contains(string(body), "tocsin.yaml") {
		t.Errorf("got %s, body %s; want 502 without the reason", res.Status, body)
	}
	l.Close()
	if out := l.Output(); !strings.Contains(out, "the function cannot start: tocsin.yaml:3: unknown key") {
		t.Errorf("log: got\n%s\nwant the reason", out)
	}

	f := startWebOnSCF(t)
	event := []byte(`{"httpMethod":"GET","path":"/","headers":{}}`)
	for _, c := range []struct {
		config  string
		wantErr bool
	}{{"broken", true}, {"good", false}} {
		_, err := f.Invoke(t.Context(), event, scf.InvokeOptions{Environment: map[string]string{"WEB_CONFIG": c.config}})
		if (err != nil) != c.wantErr {
			t.Errorf("configuration %s: got error %v, want an error: %v", c.config, err, c.wantErr)
		}
	}
}
