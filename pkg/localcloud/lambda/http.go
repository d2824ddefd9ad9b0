package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
)

// HTTPTrigger is a way by which AWS lets HTTP in to a function.
type HTTPTrigger int

const (
	// FunctionURL is a Lambda function URL that does not stream.
	FunctionURL HTTPTrigger = iota
	// HTTPAPI is an API Gateway HTTP API, payload format 2.0, with the stage
	// [Stage]. It unescapes paths.
	HTTPAPI
	// RESTAPI is an API Gateway REST API with the stage [Stage], whose
	// binaryMediaTypes are */*, so that every body is base64.
	RESTAPI
	// ALB is an Application Load Balancer that has the function as its target.
	ALB
	// ALBMultiValue is the same with lambda.multi_value_headers.enabled.
	ALBMultiValue
)

// Stage is the stage of the APIs. It is the first part of their paths.
const Stage = "prod"

// Largest bodies of requests in bytes. The event that a body becomes part of may
// not be larger than maxBody either.
const maxALBBody = 1 << 20

// errAnswer is an answer from which a front cannot make a response.
var errResponse = errors.New("the function's answer is not what this front takes")

// Serve opens a front to the function, a listener on the loopback, and returns
// its URL, without a slash at the end. It is open until the function is closed.
//
// A front answers as the real one does when something is wrong: 413 for a
// request that is too large, and 502 (HTTP API: 500) when the function fails or
// answers what the front does not understand.
func (f *Function) Serve(front HTTPTrigger) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.serveHTTP(w, r, front)
	}))
	f.mu.Lock()
	defer f.mu.Unlock()
	f.triggers = append(f.triggers, s)
	if front.hasStage() {
		return s.URL + "/" + Stage
	}
	return s.URL
}

func (front HTTPTrigger) hasStage() bool { return front == HTTPAPI || front == RESTAPI }

func (f *Function) serveHTTP(w http.ResponseWriter, r *http.Request, front HTTPTrigger) {
	if _, ok := cutStage(r.URL.EscapedPath()); front.hasStage() && !ok {
		writeError(w, http.StatusNotFound, "Not Found")
		return
	}
	limit := int64(maxBody)
	if front == ALB || front == ALBMultiValue {
		limit = maxALBBody
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if err != nil {
		writeError(w, http.StatusRequestEntityTooLarge, "Request Entity Too Large")
		return
	}
	event, err := json.Marshal(f.httpEvent(r, body, front))
	if err != nil {
		writeError(w, http.StatusInternalServerError, err.Error())
		return
	}
	if len(event) > maxBody {
		writeError(w, http.StatusRequestEntityTooLarge, "Request Entity Too Large")
		return
	}

	// A client that goes away does not stop the function.
	answer, err := f.Invoke(context.WithoutCancel(r.Context()), event, InvokeOptions{})
	if err == nil {
		err = writeResponse(w, answer, front)
	}
	if err != nil {
		status := http.StatusBadGateway
		if front == HTTPAPI {
			status = http.StatusInternalServerError
		}
		writeError(w, status, "Internal Server Error")
	}
}

// refuse answers in the function's place.
func writeError(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"message": message}) // the client may be gone
}

// event is what the function is sent.
func (f *Function) httpEvent(r *http.Request, body []byte, front HTTPTrigger) any {
	addForwarded(r)
	switch front {
	case FunctionURL, HTTPAPI:
		return f.eventV2(r, body, front)
	case RESTAPI:
		return f.eventV1(r, body)
	}
	return f.eventALB(r, body, front)
}

// respond writes the function's answer, or nothing when it is wrong.
func writeResponse(w http.ResponseWriter, answer []byte, front HTTPTrigger) error {
	var res *response
	var err error
	switch front {
	case FunctionURL, HTTPAPI:
		res, err = parseV2(answer)
	case RESTAPI:
		res, err = parseV1(answer)
	default:
		res, err = parseALB(answer, front)
	}
	if err != nil {
		return err
	}
	if res.status < 200 || res.status > 599 {
		return fmt.Errorf("%w: status code %d", errResponse, res.status)
	}
	// The front has connections and lengths of its own.
	for _, own := range []string{"Connection", "Content-Length", "Transfer-Encoding"} {
		res.header.Del(own)
	}
	maps.Copy(w.Header(), res.header)
	w.WriteHeader(res.status)
	_, _ = w.Write(res.body) // the client may be gone
	return nil
}

// response is what a front makes of an answer.
type response struct {
	status int
	header http.Header
	body   []byte
}

// beneathStage is the path beneath the stage.
func cutStage(path string) (rest string, ok bool) {
	rest, ok = strings.CutPrefix(path, "/"+Stage)
	if rest == "" {
		rest = "/"
	}
	return rest, ok && rest[0] == '/'
}

// addForwarded adds the headers that each front adds, and Host, which net/http
// keeps elsewhere.
func addForwarded(r *http.Request) {
	r.Header.Set("Host", r.Host)
	ip := clientIP(r)
	if before := r.Header.Get("X-Forwarded-For"); before != "" {
		ip = before + ", " + ip
	}
	r.Header.Set("X-Forwarded-For", ip)
	r.Header.Set("X-Forwarded-Proto", "https")
	r.Header.Set("X-Forwarded-Port", "443")
	r.Header.Set("X-Amzn-Trace-Id", "Root=1-5e9f0c65-1de4d666d4dd26aced652b6c")
}

func clientIP(r *http.Request) string {
	host, _, _ := net.SplitHostPort(r.RemoteAddr) // net/http writes it right
	return host
}

// isText tells the bodies that are sent as they are; everything else is base64,
// forms too (ELB documentation; measured for HTTP APIs).
func isTextType(contentType string) bool {
	t, _, _ := mime.ParseMediaType(contentType)
	return strings.HasPrefix(t, "text/") || slices.Contains([]string{"application/json", "application/javascript", "application/xml"}, t)
}

// lower is a copy of h under lower-case names.
func lowerCaseNames(h http.Header) map[string][]string {
	out := make(map[string][]string, len(h))
	for name, values := range h {
		out[strings.ToLower(name)] = values
	}
	return out
}

// last has the last value of each name.
func lastValues(all map[string][]string) map[string]string {
	out := make(map[string]string, len(all))
	for name, values := range all {
		out[name] = values[len(values)-1]
	}
	return out
}

// joined has the values of each name with commas between them.
func joinValues(all map[string][]string) map[string]string {
	out := make(map[string]string, len(all))
	for name, values := range all {
		out[name] = strings.Join(values, ",")
	}
	return out
}

// orNil is q, or nil so that an empty one becomes null.
func nilIfEmpty(q url.Values) url.Values {
	if len(q) == 0 {
		return nil
	}
	return q
}
