package faas

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Largest answers as JSON, in bytes (document/product/583/11637; Lambda quotas;
// ELB, "Lambda functions as targets").
const (
	maxHTTPAnswer = 6 << 20
	maxALBAnswer  = 1 << 20
)

// recorder is the http.ResponseWriter that keeps an answer. It does as a server
// of net/http does, which has no body for HEAD and finds the content type out.
type recorder struct {
	status int // 0 until WriteHeader
	sent   http.Header

	header   http.Header
	bodiless bool
	body     bytes.Buffer
	tooLarge bool
}

func newRecorder(method string) *recorder {
	return &recorder{header: http.Header{}, bodiless: method == http.MethodHead}
}

func (w *recorder) Header() http.Header { return w.header }

func (w *recorder) WriteHeader(status int) {
	if status < 100 || status > 999 {
		panic(fmt.Sprintf("invalid status code %d", status)) // as net/http does
	}
	if w.status != 0 || status < 200 { // the latter are ahead of the answer
		return
	}
	w.status, w.sent = status, w.header.Clone()
}

func (w *recorder) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	switch {
	case w.status == http.StatusNoContent, w.status == http.StatusNotModified:
		return 0, http.ErrBodyNotAllowed
	case w.bodiless:
		return len(p), nil
	case w.body.Len()+len(p) > maxHTTPAnswer:
		w.tooLarge = true
		return 0, fmt.Errorf("the answer has more than %d bytes", maxHTTPAnswer)
	}
	return w.body.Write(p)
}

// finish completes the answer once the handler has returned.
func (w *recorder) finish() {
	w.WriteHeader(http.StatusOK)
	_, typed := w.sent["Content-Type"]
	if w.body.Len() > 0 && !typed && w.sent.Get("Content-Encoding") == "" {
		w.sent.Set("Content-Type", http.DetectContentType(w.body.Bytes()))
	}
}

// httpAnswer is an answer of any shape; each has some of the keys.
type httpAnswer struct {
	StatusCode        int         `json:"statusCode"`
	StatusDescription string      `json:"statusDescription,omitempty"`
	Headers           any         `json:"headers,omitempty"`
	MultiValueHeaders http.Header `json:"multiValueHeaders,omitempty"`
	Cookies           []string    `json:"cookies,omitempty"`
	Body              string      `json:"body"`
	IsBase64Encoded   bool        `json:"isBase64Encoded"`
}

// answer returns the answer as the platform wants it. It fails when that would
// be larger than the platform takes.
func (w *recorder) answer(s shape) (json.RawMessage, error) {
	a := httpAnswer{StatusCode: w.status}
	// What is no text must be base64: JSON cannot hold it.
	if body := w.body.Bytes(); utf8.Valid(body) {
		a.Body = string(body)
	} else {
		a.Body, a.IsBase64Encoded = base64.StdEncoding.EncodeToString(body), true
	}
	h := singleLines(w.sent)
	limit := maxHTTPAnswer
	switch s {
	case scfHTTP:
		a.Headers = textOrList(h)
	case lambdaV2:
		a.Cookies = h["Set-Cookie"]
		delete(h, "Set-Cookie")
		a.Headers = joined(h)
	case lambdaV1:
		a.MultiValueHeaders = h
	case alb, albMulti:
		limit = maxALBAnswer
		a.StatusDescription = strconv.Itoa(w.status) + " " + cmp.Or(http.StatusText(w.status), "Unassigned")
		if s == albMulti {
			a.MultiValueHeaders = h
		} else {
			a.Headers = joined(h)
		}
	}
	out, err := json.Marshal(a)
	if err != nil {
		return nil, err
	}
	if w.tooLarge || len(out) > limit {
		return nil, fmt.Errorf("the answer has more than %d bytes", limit)
	}
	return out, nil
}

// singleLines returns headers whose values cannot begin a header of their own.
func singleLines(h http.Header) http.Header {
	line := strings.NewReplacer("\r", " ", "\n", " ")
	out := make(http.Header, len(h))
	for name, values := range h {
		for _, v := range values {
			out.Add(name, line.Replace(v))
		}
	}
	return out
}

// textOrList has a text for a header with one value and a list for one with
// several (document/product/583/12513).
func textOrList(h http.Header) map[string]any {
	out := make(map[string]any, len(h))
	for name, values := range h {
		if out[name] = values; len(values) == 1 {
			out[name] = values[0]
		}
	}
	return out
}

// joined has one value for each header: the values with commas between them
// (RFC 9110, 5.3). Cookies cannot be written so. Each gets a name of its own, in
// another mix of capitals, which is the same name to a client.
func joined(h http.Header) map[string]string {
	out := make(map[string]string, len(h))
	for name, values := range h {
		if name != "Set-Cookie" {
			out[name] = strings.Join(values, ", ")
			continue
		}
		for i, v := range values {
			out[recased(name, i)] = v
		}
	}
	return out
}

// recased is name with the case of its letters flipped where i has a bit.
func recased(name string, i int) string {
	return strings.Map(func(c rune) rune {
		if !unicode.IsLetter(c) {
			return c
		}
		flip := i&1 == 1
		i >>= 1
		switch {
		case !flip:
			return c
		case unicode.IsUpper(c):
			return unicode.ToLower(c)
		}
		return unicode.ToUpper(c)
	}, name)
}
