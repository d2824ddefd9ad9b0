package faas

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

var formats = map[string]httpFormat{"SCF": formatSCF, "Lambda 2.0": formatLambdaV2, "Lambda 1.0": formatLambdaV1, "ALB": formatALB, "ALB multi-value": formatALBMultiValue}

// encodeResponse returns the response of a handler in a format.
func encodeResponse(t *testing.T, format httpFormat, method string, h http.HandlerFunc) (string, error) {
	t.Helper()
	w := newResponseRecorder(method)
	h(w, &http.Request{Method: method})
	w.finish()
	b, err := w.encode(format)
	return string(b), err
}

// TestEncodeResponse encodes the same responses in several formats.
func TestEncodeResponse(t *testing.T) {
	for _, c := range []struct {
		name, method string
		handler      http.HandlerFunc
		want         map[string]string
	}{
		{"text body", "POST", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusCreated)
			_, _ = w.Write([]byte(`{"状态"`))
			_, _ = w.Write([]byte(`:1}`))
		}, map[string]string{
			"SCF":             `{"statusCode":201,"headers":{"Content-Type":"application/json"},"body":"{\"状态\":1}","isBase64Encoded":false}`,
			"Lambda 2.0":      `{"statusCode":201,"headers":{"Content-Type":"application/json"},"body":"{\"状态\":1}","isBase64Encoded":false}`,
			"Lambda 1.0":      `{"statusCode":201,"multiValueHeaders":{"Content-Type":["application/json"]},"body":"{\"状态\":1}","isBase64Encoded":false}`,
			"ALB":             `{"statusCode":201,"statusDescription":"201 Created","headers":{"Content-Type":"application/json"},"body":"{\"状态\":1}","isBase64Encoded":false}`,
			"ALB multi-value": `{"statusCode":201,"statusDescription":"201 Created","multiValueHeaders":{"Content-Type":["application/json"]},"body":"{\"状态\":1}","isBase64Encoded":false}`,
		}},
		{"cookies and repeated headers", "GET", func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Set-Cookie"] = []string{"a=1; Expires=Wed, 02 Jan 2030 03:04:05 GMT", "b=2", "c=3"}
			w.Header()["Vary"] = []string{"Accept", "Origin"}
			w.WriteHeader(http.StatusNoContent)
		}, map[string]string{
			"SCF":             `{"statusCode":204,"headers":{"Set-Cookie":["a=1; Expires=Wed, 02 Jan 2030 03:04:05 GMT","b=2","c=3"],"Vary":["Accept","Origin"]},"body":"","isBase64Encoded":false}`,
			"Lambda 2.0":      `{"statusCode":204,"headers":{"Vary":"Accept, Origin"},"cookies":["a=1; Expires=Wed, 02 Jan 2030 03:04:05 GMT","b=2","c=3"],"body":"","isBase64Encoded":false}`,
			"Lambda 1.0":      `{"statusCode":204,"multiValueHeaders":{"Set-Cookie":["a=1; Expires=Wed, 02 Jan 2030 03:04:05 GMT","b=2","c=3"],"Vary":["Accept","Origin"]},"body":"","isBase64Encoded":false}`,
			"ALB":             `{"statusCode":204,"statusDescription":"204 No Content","headers":{"SEt-Cookie":"c=3","Set-Cookie":"a=1; Expires=Wed, 02 Jan 2030 03:04:05 GMT","Vary":"Accept, Origin","set-Cookie":"b=2"},"body":"","isBase64Encoded":false}`,
			"ALB multi-value": `{"statusCode":204,"statusDescription":"204 No Content","multiValueHeaders":{"Set-Cookie":["a=1; Expires=Wed, 02 Jan 2030 03:04:05 GMT","b=2","c=3"],"Vary":["Accept","Origin"]},"body":"","isBase64Encoded":false}`,
		}},
		{"binary body", "GET", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write([]byte("\x1f\x8b\x00\xff"))
		}, map[string]string{
			"SCF":        `{"statusCode":200,"headers":{"Content-Encoding":"gzip"},"body":"H4sA/w==","isBase64Encoded":true}`,
			"Lambda 2.0": `{"statusCode":200,"headers":{"Content-Encoding":"gzip"},"body":"H4sA/w==","isBase64Encoded":true}`,
			"Lambda 1.0": `{"statusCode":200,"multiValueHeaders":{"Content-Encoding":["gzip"]},"body":"H4sA/w==","isBase64Encoded":true}`,
			"ALB":        `{"statusCode":200,"statusDescription":"200 OK","headers":{"Content-Encoding":"gzip"},"body":"H4sA/w==","isBase64Encoded":true}`,
		}},
		{"no response written", "GET", func(http.ResponseWriter, *http.Request) {}, map[string]string{
			"SCF":        `{"statusCode":200,"headers":{},"body":"","isBase64Encoded":false}`,
			"Lambda 1.0": `{"statusCode":200,"body":"","isBase64Encoded":false}`,
		}},
		{"content type is detected", "GET", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte("<!DOCTYPE html>"))
		}, map[string]string{
			"Lambda 2.0": `{"statusCode":200,"headers":{"Content-Type":"text/html; charset=utf-8"},"body":"\u003c!DOCTYPE html\u003e","isBase64Encoded":false}`,
		}},
		{"response to HEAD has no body", "HEAD", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			if n, err := w.Write([]byte("abc")); n != 3 || err != nil {
				t.Errorf("Write in response to HEAD: got %d, error %v; want 3", n, err)
			}
		}, map[string]string{
			"Lambda 2.0": `{"statusCode":200,"headers":{"Content-Type":"text/plain"},"body":"","isBase64Encoded":false}`,
		}},
		{"informational status, late headers and body of 304 are dropped", "GET", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusNotModified)
			w.WriteHeader(http.StatusOK)
			w.Header().Set("Late", "1")
			if _, err := w.Write([]byte("x")); err != http.ErrBodyNotAllowed {
				t.Errorf("Write after 304: got error %v, want %v", err, http.ErrBodyNotAllowed)
			}
		}, map[string]string{
			"Lambda 2.0": `{"statusCode":304,"headers":{},"body":"","isBase64Encoded":false}`,
		}},
		{"line break in a header, unknown status", "GET", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Name", "a\r\nSet-Cookie: b")
			w.WriteHeader(599)
		}, map[string]string{
			"Lambda 2.0": `{"statusCode":599,"headers":{"X-Name":"a  Set-Cookie: b"},"body":"","isBase64Encoded":false}`,
			"ALB":        `{"statusCode":599,"statusDescription":"599 Unassigned","headers":{"X-Name":"a  Set-Cookie: b"},"body":"","isBase64Encoded":false}`,
		}},
	} {
		for format, want := range c.want {
			t.Run(c.name+"/"+format, func(t *testing.T) {
				if got, err := encodeResponse(t, formats[format], c.method, c.handler); err != nil || got != want {
					t.Errorf("got\n%s, error %v; want\n%s", got, err, want)
				}
			})
		}
	}
}

// TestResponseSizeLimits checks the limits, which apply to the encoded
// response.
func TestResponseSizeLimits(t *testing.T) {
	for name, c := range map[string]struct {
		format httpFormat
		limit  int
	}{"Lambda": {formatLambdaV2, 6 << 20}, "SCF": {formatSCF, 6 << 20}, "ALB": {formatALB, 1 << 20}} {
		t.Run(name, func(t *testing.T) {
			write := func(n int) http.HandlerFunc {
				return func(w http.ResponseWriter, _ *http.Request) {
					w.Header().Set("Content-Type", "text/plain")
					_, _ = w.Write([]byte(strings.Repeat("x", n)))
				}
			}
			empty, err := encodeResponse(t, c.format, "GET", write(0))
			if err != nil {
				t.Fatal(err)
			}
			largest := c.limit - len(empty)
			if got, err := encodeResponse(t, c.format, "GET", write(largest)); err != nil || len(got) != c.limit {
				t.Errorf("body of %d bytes: got %d bytes, error %v; want %d", largest, len(got), err, c.limit)
			}
			for _, n := range []int{largest + 1, 7 << 20} {
				if got, err := encodeResponse(t, c.format, "GET", write(n)); err == nil || got != "" {
					t.Errorf("body of %d bytes: got %d bytes, error %v; want an error", n, len(got), err)
				}
			}
		})
	}
}

func TestVaryCase(t *testing.T) {
	names := map[string]bool{}
	for i := range 100 {
		name := varyCase("Set-Cookie", i)
		if !strings.EqualFold(name, "Set-Cookie") || names[name] {
			t.Errorf("%d: got %s, want an unused spelling of Set-Cookie", i, name)
		}
		names[name] = true
	}
}

// FuzzEncodeResponse checks that any response can be decoded again.
func FuzzEncodeResponse(f *testing.F) {
	f.Add("text/plain", "a, b", []byte("hello"), 200)
	f.Add("", "a\r\nb: c", []byte("\xff\xfe"), 599)
	f.Fuzz(func(t *testing.T, contentType, value string, body []byte, status int) {
		if status < 200 || status > 599 || status == 204 || status == 304 || len(body) > 1<<10 || len(value) > 1<<10 {
			return
		}
		got, err := encodeResponse(t, formatLambdaV2, "GET", func(w http.ResponseWriter, _ *http.Request) {
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
			t.Fatalf("got %q, error %v; want status %d", got, err, status)
		}
		text := []byte(a.Body)
		if a.IsBase64Encoded {
			text, err = base64.StdEncoding.DecodeString(a.Body)
		}
		if err != nil || !bytes.Equal(text, body) {
			t.Errorf("body: got %q in %s, want %q", text, got, body)
		}
		for name, v := range a.Headers {
			if strings.ContainsAny(v, "\r\n") {
				t.Errorf("header %s: got %q, want no line breaks", name, v)
			}
		}
	})
}
