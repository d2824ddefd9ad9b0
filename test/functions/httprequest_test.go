package functions

import (
	"bytes"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestHTTPRequest: what a client sends reaches the handler, through whichever
// front.
func TestHTTPRequest(t *testing.T) {
	for name, start := range fronts {
		t.Run(name, func(t *testing.T) {
			f := start(t)
			// HTTP APIs unescape paths themselves, so that a slash is one.
			rawPath := "/a%2Fb/%E4%B8%AD%20%3F"
			if name == "lambda http api" {
				rawPath = "/a/b/%E4%B8%AD%20%3F"
			}
			// A load balancer without multi-value headers keeps the last of a key.
			labels := []string{"a:b", "c&d=e+f/中 "}
			if name == "lambda alb" {
				labels = labels[1:]
			}
			before := time.Now()
			s := ask(t, "POST", f.url+"/a%2Fb/%E4%B8%AD%20%3F?label=a:b&label=c%26d%3De%2Bf/%E4%B8%AD+&bare&token=x%3D", `{"状态": "firing"}`, http.Header{
				"Host":          {"hooks.example.com"},
				"Content-Type":  {"application/json"},
				"Authorization": {`Digest username="u", realm="r, s"`},
				"Date":          {"Tue, 15 Nov 1994 08:12:31 GMT"},
				"Cookie":        {"one=1; two=2"},
			})
			if s.Method != "POST" || s.Path != "/a/b/中 ?" || s.RawPath != rawPath {
				t.Errorf("%s %q, escaped %q; want %q", s.Method, s.Path, s.RawPath, rawPath)
			}
			if path, _, _ := strings.Cut(s.URI, "?"); path != rawPath {
				t.Errorf("request URI is %q", s.URI)
			}
			if !slices.Equal(s.Query["label"], labels) || !s.Query.Has("bare") || s.Query.Get("bare") != "" || s.Query.Get("token") != "x=" || len(s.Query) != 3 {
				t.Errorf("query %q", s.Query)
			}
			for name, want := range map[string]string{
				"Content-Type":  "application/json",
				"Authorization": `Digest username="u", realm="r, s"`,
				"Date":          "Tue, 15 Nov 1994 08:12:31 GMT",
				"Cookie":        "one=1; two=2",
				"Host":          "",
			} {
				if got := strings.Join(s.Header.Values(name), "|"); got != want {
					t.Errorf("%s: %q, want %q", name, got, want)
				}
			}
			if s.Host != "hooks.example.com" || s.Remote != "127.0.0.1:0" {
				t.Errorf("host %q, remote %q", s.Host, s.Remote)
			}
			if string(s.Body) != `{"状态": "firing"}` || s.Length != 20 {
				t.Errorf("body %q of %d bytes", s.Body, s.Length)
			}
			// The emulators give 60 s.
			if left := time.UnixMilli(s.Deadline).Sub(before); left < 59*time.Second || left > 90*time.Second {
				t.Errorf("deadline in %v", left)
			}
			if s.Invocation.Function != "webhook" || s.Invocation.RequestID == "" || !s.Invocation.Cold || s.Builds != 1 {
				t.Errorf("%+v, built %d times", s.Invocation, s.Builds)
			}

			s = ask(t, "GET", f.url+"/", "", nil)
			if s.Method != "GET" || s.Path != "/" || len(s.Query) != 0 || len(s.Body) != 0 || s.Length != 0 || s.Invocation.Cold || s.Builds != 1 {
				t.Errorf("second request: %+v", s)
			}
		})
	}
}

// TestHTTPBinaryRequest: SCF's function URL has no place for what is no text.
func TestHTTPBinaryRequest(t *testing.T) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	for name, start := range fronts {
		if strings.HasSuffix(name, "function url") && strings.HasPrefix(name, "scf") {
			continue
		}
		t.Run(name, func(t *testing.T) {
			s := ask(t, "PUT", start(t).url+"/report", string(all), http.Header{"Content-Type": {"application/octet-stream"}})
			if s.Method != "PUT" || !bytes.Equal(s.Body, all) || s.Length != 256 {
				t.Errorf("%s, body %q of %d bytes", s.Method, s.Body, s.Length)
			}
		})
	}
}

// TestHTTPSizes: no more than the platform takes, either way.
func TestHTTPSizes(t *testing.T) {
	for name, c := range map[string]struct{ request, over, answer int }{
		// The event has 6 MB, in which a byte of text is one, and in an answer of
		// zeros six: \u0000. A load balancer counts its 1 MB without the event.
		"scf function url":    {5 << 20, 6<<20 + 1, 1000_000},
		"lambda function url": {5 << 20, 6<<20 + 1, 1000_000},
		"lambda alb":          {1 << 20, 1<<20 + 1, 170_000},
	} {
		t.Run(name, func(t *testing.T) {
			f := fronts[name](t)
			header := http.Header{"Content-Type": {"text/plain"}}
			if _, body := do(t, "POST", f.url+"/length", strings.Repeat("x", c.request), header); string(body) != strconv.Itoa(c.request)+"\n" {
				t.Errorf("of %d bytes arrived %s", c.request, body)
			}
			if res, _ := do(t, "POST", f.url+"/length", strings.Repeat("x", c.over), header); res.StatusCode != 413 {
				t.Errorf("too large a request: %s", res.Status)
			}
			if res, body := do(t, "GET", f.url+"/size/"+strconv.Itoa(c.answer), "", nil); res.StatusCode != 200 || len(body) != c.answer {
				t.Errorf("%s with %d bytes, want %d", res.Status, len(body), c.answer)
			}
			// Too large as JSON, and too large already before.
			for _, n := range []int{2 * c.answer, 7 << 20} {
				if res, body := do(t, "GET", f.url+"/size/"+strconv.Itoa(n), "", nil); res.StatusCode != 500 || string(body) != "the answer is too large\n" {
					t.Errorf("too large an answer: %s with %d bytes", res.Status, len(body))
				}
			}
		})
	}
}
