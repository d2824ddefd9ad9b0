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

// Size limits of responses as JSON, in bytes (document/product/583/11637;
// Lambda quotas; ELB, "Lambda functions as targets").
const (
	maxHTTPResponse = 6 << 20
	maxALBResponse  = 1 << 20
)

// responseRecorder is an http.ResponseWriter that buffers the response. As a
// net/http server does, it drops the body of a response to HEAD and detects the
// content type.
type responseRecorder struct {
	status int // 0 until WriteHeader
	sent   http.Header

	header   http.Header
	bodiless bool
	body     bytes.Buffer
	tooLarge bool
}

func newResponseRecorder(method string) *responseRecorder {
	return &responseRecorder{header: http.Header{}, bodiless: method == http.MethodHead}
}

func (w *responseRecorder) Header() http.Header { return w.header }

func (w *responseRecorder) WriteHeader(status int) {
	if status < 100 || status > 999 {
		panic(fmt.Sprintf("invalid status code %d", status)) // as net/http does
	}
	if w.status != 0 || status < 200 { // informational responses precede the final one
		return
	}
	w.status, w.sent = status, w.header.Clone()
}

func (w *responseRecorder) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	switch {
	case w.status == http.StatusNoContent, w.status == http.StatusNotModified:
		return 0, http.ErrBodyNotAllowed
	case w.bodiless:
		return len(p), nil
	case w.body.Len()+len(p) > maxHTTPResponse:
		w.tooLarge = true
		return 0, fmt.Errorf("the response has more than %d bytes", maxHTTPResponse)
	}
	return w.body.Write(p)
}

// finish completes the response after the handler has returned.
func (w *responseRecorder) finish() {
	w.WriteHeader(http.StatusOK)
	_, typed := w.sent["Content-Type"]
	if w.body.Len() > 0 && !typed && w.sent.Get("Content-Encoding") == "" {
		w.sent.Set("Content-Type", http.DetectContentType(w.body.Bytes()))
	}
}

// httpResponse is a response in any format. Each format uses some of the keys.
type httpResponse struct {
	StatusCode        int         `json:"statusCode"`
	StatusDescription string      `json:"statusDescription,omitempty"`
	Headers           any         `json:"headers,omitempty"`
	MultiValueHeaders http.Header `json:"multiValueHeaders,omitempty"`
	Cookies           []string    `json:"cookies,omitempty"`
	Body              string      `json:"body"`
	IsBase64Encoded   bool        `json:"isBase64Encoded"`
}

// encode returns the response in a format, or an error if it exceeds the
// platform's limit.
func (w *responseRecorder) encode(format httpFormat) (json.RawMessage, error) {
	res := httpResponse{StatusCode: w.status}
	// JSON cannot hold binary bodies.
	if body := w.body.Bytes(); utf8.Valid(body) {
		res.Body = string(body)
	} else {
		res.Body, res.IsBase64Encoded = base64.StdEncoding.EncodeToString(body), true
	}
	header := removeLineBreaks(w.sent)
	limit := maxHTTPResponse
	switch format {
	case formatSCF:
		res.Headers = stringOrList(header)
	case formatLambdaV2:
		res.Cookies = header["Set-Cookie"]
		delete(header, "Set-Cookie")
		res.Headers = joinHeaders(header)
	case formatLambdaV1:
		res.MultiValueHeaders = header
	case formatALB, formatALBMultiValue:
		limit = maxALBResponse
		res.StatusDescription = strconv.Itoa(w.status) + " " + cmp.Or(http.StatusText(w.status), "Unassigned")
		if format == formatALBMultiValue {
			res.MultiValueHeaders = header
		} else {
			res.Headers = joinHeaders(header)
		}
	}
	out, err := json.Marshal(res)
	if err != nil {
		return nil, err
	}
	if w.tooLarge || len(out) > limit {
		return nil, fmt.Errorf("the response has more than %d bytes", limit)
	}
	return out, nil
}

// removeLineBreaks returns headers whose values cannot start another header.
func removeLineBreaks(h http.Header) http.Header {
	line := strings.NewReplacer("\r", " ", "\n", " ")
	out := make(http.Header, len(h))
	for name, values := range h {
		for _, v := range values {
			out.Add(name, line.Replace(v))
		}
	}
	return out
}

// stringOrList returns a string for a header with one value and a list for
// several (document/product/583/12513).
func stringOrList(h http.Header) map[string]any {
	out := make(map[string]any, len(h))
	for name, values := range h {
		if out[name] = values; len(values) == 1 {
			out[name] = values[0]
		}
	}
	return out
}

// joinHeaders returns one value for each header, joining several by commas (RFC
// 9110, 5.3). Set-Cookie cannot be joined. Each cookie gets a name in a
// different mix of upper and lower case, which clients treat as the same name.
func joinHeaders(h http.Header) map[string]string {
	out := make(map[string]string, len(h))
	for name, values := range h {
		if name != "Set-Cookie" {
			out[name] = strings.Join(values, ", ")
			continue
		}
		for i, v := range values {
			out[varyCase(name, i)] = v
		}
	}
	return out
}

// varyCase returns name with the case of its letters flipped where i has a bit
// set.
func varyCase(name string, i int) string {
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
