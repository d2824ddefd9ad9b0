package faas

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

var shapes = map[string]shape{"scf": scfHTTP, "v2": lambdaV2, "v1": lambdaV1, "alb": alb, "alb multi": albMulti}

func answerOf(t *testing.T, s shape, method string, h http.HandlerFunc) (string, error) {
	t.Helper()
	w := newRecorder(method)
	h(w, &http.Request{Method: method})
	w.finish()
	b, err := w.answer(s)
	return string(b), err
}

// TestAnswer: the same answers in each shape.
func TestAnswer(t *testing.T) {
	for _, c := range []struct {
		name, method string
		do           http.HandlerFunc
		want         map[string]string
	}{
		{"text", "POST", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusCreated)
			_, _ = w.Write([]byte(`{"状态"`))
			_, _ = w.Write([]byte(`:1}`))
		}, map[string]string{
			"scf":       `{"statusCode":201,"headers":{"Content-Type":"application/json"},"body":"{\"状态\":1}","isBase64Encoded":false}`,
			"v2":        `{"statusCode":201,"headers":{"Content-Type":"application/json"},"body":"{\"状态\":1}","isBase64Encoded":false}`,
			"v1":        `{"statusCode":201,"multiValueHeaders":{"Content-Type":["application/json"]},"body":"{\"状态\":1}","isBase64Encoded":false}`,
			"alb":       `{"statusCode":201,"statusDescription":"201 Created","headers":{"Content-Type":"application/json"},"body":"{\"状态\":1}","isBase64Encoded":false}`,
			"alb multi": `{"statusCode":201,"statusDescription":"201 Created","multiValueHeaders":{"Content-Type":["application/json"]},"body":"{\"状态\":1}","isBase64Encoded":false}`,
		}},
		{"cookies and repeated headers", "GET", func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Set-Cookie"] = []string{"a=1; Expires=Wed, 02 Jan 2030 03:04:05 GMT", "b=2", "c=3"}
			w.Header()["Vary"] = []string{"Accept", "Origin"}
			w.WriteHeader(http.StatusNoContent)
		}, map[string]string{
			"scf":       `{"statusCode":204,"headers":{"Set-Cookie":["a=1; Expires=Wed, 02 Jan 2030 03:04:05 GMT","b=2","c=3"],"Vary":["Accept","Origin"]},"body":"","isBase64Encoded":false}`,
			"v2":        `{"statusCode":204,"headers":{"Vary":"Accept, Origin"},"cookies":["a=1; Expires=Wed, 02 Jan 2030 03:04:05 GMT","b=2","c=3"],"body":"","isBase64Encoded":false}`,
			"v1":        `{"statusCode":204,"multiValueHeaders":{"Set-Cookie":["a=1; Expires=Wed, 02 Jan 2030 03:04:05 GMT","b=2","c=3"],"Vary":["Accept","Origin"]},"body":"","isBase64Encoded":false}`,
			"alb":       `{"statusCode":204,"statusDescription":"204 No Content","headers":{"SEt-Cookie":"c=3","Set-Cookie":"a=1; Expires=Wed, 02 Jan 2030 03:04:05 GMT","Vary":"Accept, Origin","set-Cookie":"b=2"},"body":"","isBase64Encoded":false}`,
			"alb multi": `{"statusCode":204,"statusDescription":"204 No Content","multiValueHeaders":{"Set-Cookie":["a=1; Expires=Wed, 02 Jan 2030 03:04:05 GMT","b=2","c=3"],"Vary":["Accept","Origin"]},"body":"","isBase64Encoded":false}`,
		}},
		{"what is no text", "GET", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write([]byte("\x1f\x8b\x00\xff"))
		}, map[string]string{
			"scf": `{"statusCode":200,"headers":{"Content-Encoding":"gzip"},"body":"H4sA/w==","isBase64Encoded":true}`,
			"v2":  `{"statusCode":200,"headers":{"Content-Encoding":"gzip"},"body":"H4sA/w==","isBase64Encoded":true}`,
			"v1":  `{"statusCode":200,"multiValueHeaders":{"Content-Encoding":["gzip"]},"body":"H4sA/w==","isBase64Encoded":true}`,
			"alb": `{"statusCode":200,"statusDescription":"200 OK","headers":{"Content-Encoding":"gzip"},"body":"H4sA/w==","isBase64Encoded":true}`,
		}},
		{"nothing at all", "GET", func(http.ResponseWriter, *http.Request) {}, map[string]string{
			"scf": `{"statusCode":200,"headers":{},"body":"","isBase64Encoded":false}`,
			"v1":  `{"statusCode":200,"body":"","isBase64Encoded":false}`,
		}},
		{"the type is found out", "GET", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte("<!DOCTYPE html>"))
		}, map[string]string{
			"v2": `{"statusCode":200,"headers":{"Content-Type":"text/html; charset=utf-8"},"body":"\u003c!DOCTYPE html\u003e","isBase64Encoded":false}`,
		}},
		{"HEAD", "HEAD", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			if n, err := w.Write([]byte("abc")); n != 3 || err != nil {
				t.Errorf("writing the body of HEAD: %d, %v", n, err)
			}
		}, map[string]string{
			"v2": `{"statusCode":200,"headers":{"Content-Type":"text/plain"},"body":"","isBase64Encoded":false}`,
		}},
		{"what comes too early or too late", "GET", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusNotModified)
			w.WriteHeader(http.StatusOK)
			w.Header().Set("Late", "1")
			if _, err := w.Write([]byte("x")); err != http.ErrBodyNotAllowed {
				t.Errorf("writing the body of 304: %v", err)
			}
		}, map[string]string{
			"v2": `{"statusCode":304,"headers":{},"body":"","isBase64Encoded":false}`,
		}},
		{"a header that would be two, a status without a name", "GET", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Name", "a\r\nSet-Cookie: b")
			w.WriteHeader(599)
		}, map[string]string{
			"v2":  `{"statusCode":599,"headers":{"X-Name":"a  Set-Cookie: b"},"body":"","isBase64Encoded":false}`,
			"alb": `{"statusCode":599,"statusDescription":"599 Unassigned","headers":{"X-Name":"a  Set-Cookie: b"},"body":"","isBase64Encoded":false}`,
		}},
	} {
		for s, want := range c.want {
			if got, err := answerOf(t, shapes[s], c.method, c.do); err != nil || got != want {
				t.Errorf("%s, %s: %v\n%s, want\n%s", c.name, s, err, got, want)
			}
		}
	}
}

// TestAnswerSize: the limits are those of the answer as JSON.
func TestAnswerSize(t *testing.T) {
	for name, c := range map[string]struct {
		shape shape
		limit int
	}{"lambda": {lambdaV2, 6 << 20}, "scf": {scfHTTP, 6 << 20}, "alb": {alb, 1 << 20}} {
		fill := func(n int) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "text/plain")
				_, _ = w.Write([]byte(strings.Repeat("x", n)))
			}
		}
		empty, err := answerOf(t, c.shape, "GET", fill(0))
		if err != nil {
			t.Fatal(err)
		}
		fits := c.limit - len(empty)
		if got, err := answerOf(t, c.shape, "GET", fill(fits)); err != nil || len(got) != c.limit {
			t.Errorf("%s: %d bytes: %v", name, len(got), err)
		}
		for _, n := range []int{fits + 1, 7 << 20} {
			if got, err := answerOf(t, c.shape, "GET", fill(n)); err == nil || got != "" {
				t.Errorf("%s: %d bytes were taken", name, n)
			}
		}
	}
}

func TestRecased(t *testing.T) {
	names := map[string]bool{}
	for i := range 100 {
		name := recased("Set-Cookie", i)
		if !strings.EqualFold(name, "Set-Cookie") || names[name] {
			t.Errorf("%d: %s", i, name)
		}
		names[name] = true
	}
}

// FuzzAnswer: whatever is written comes out as JSON that holds it.
func FuzzAnswer(f *testing.F) {
	f.Add("text/plain", "a, b", []byte("hello"), 200)
	f.Add("", "a\r\nb: c", []byte("\xff\xfe"), 599)
	f.Fuzz(func(t *testing.T, contentType, value string, body []byte, status int) {
		if status < 200 || status > 599 || status == 204 || status == 304 || len(body) > 1<<10 || len(value) > 1<<10 {
			return
		}
		got, err := answerOf(t, lambdaV2, "GET", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			w.Header().Set("X-Value", value)
			w.WriteHeader(status)
			_, _ = w.Write(body)
		})
		var a struct {
			StatusCode      int
			Headers         map[string]string
			Body            string
			IsBase64Encoded bool
		}
		if err != nil || json.Unmarshal([]byte(got), &a) != nil || a.StatusCode != status {
			t.Fatalf("%q, %v", got, err)
		}
		text := []byte(a.Body)
		if a.IsBase64Encoded {
			text, err = base64.StdEncoding.DecodeString(a.Body)
		}
		if err != nil || !bytes.Equal(text, body) {
			t.Errorf("%q became %s", body, got)
		}
		for name, v := range a.Headers {
			if strings.ContainsAny(v, "\r\n") {
				t.Errorf("%s: %q", name, v)
			}
		}
	})
}
