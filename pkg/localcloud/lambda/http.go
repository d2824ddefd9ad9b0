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
	"net/url"
	"slices"
	"strings"
)

// HTTPTrigger is a kind of HTTP trigger.
type HTTPTrigger int

const (
	// FunctionURL is a Lambda function URL without response streaming.
	FunctionURL HTTPTrigger = iota
	// HTTPAPI is an API Gateway HTTP API, payload format 2.0, with the stage
	// [Stage]. It unescapes paths.
	HTTPAPI
	// RESTAPI is an API Gateway REST API with the stage [Stage] and the
	// binaryMediaTypes */*, so that every body is in base64.
	RESTAPI
	// ALB is an Application Load Balancer with the function as its target.
	ALB
	// ALBMultiValue is an ALB with lambda.multi_value_headers.enabled.
	ALBMultiValue
)

// Stage is the stage of the APIs, the first element of their paths.
const Stage = "prod"

// maxALBBody is the size limit of a load balancer's request and response bodies
// in bytes. The event made from a request is also limited to maxBody.
const maxALBBody = 1 << 20

// errResponse is the error for a response that a trigger does not accept.
var errResponse = errors.New("the trigger does not accept the function's response")

// Serve opens an HTTP trigger, a listener on the loopback, and returns its URL
// without a slash at the end. It is open until the function is closed.
//
// A trigger responds to errors as the real one does: with 413 to a request that
// is too large, and with 502 (HTTP API: 500) when the function fails or its
// response is invalid.
func (f *Function) Serve(trigger HTTPTrigger) string {
	url := f.triggers.Open(func(w http.ResponseWriter, r *http.Request) { f.serveHTTP(w, r, trigger) })
	if trigger.hasStage() {
		url += "/" + Stage
	}
	return url
}

func (trigger HTTPTrigger) hasStage() bool { return trigger == HTTPAPI || trigger == RESTAPI }

func (f *Function) serveHTTP(w http.ResponseWriter, r *http.Request, trigger HTTPTrigger) {
	if _, ok := cutStage(r.URL.EscapedPath()); trigger.hasStage() && !ok {
		writeError(w, http.StatusNotFound, "Not Found")
		return
	}
	limit := int64(maxBody)
	if trigger == ALB || trigger == ALBMultiValue {
		limit = maxALBBody
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if err != nil {
		writeError(w, http.StatusRequestEntityTooLarge, "Request Entity Too Large")
		return
	}
	event, err := json.Marshal(f.httpEvent(r, body, trigger))
	if err != nil {
		writeError(w, http.StatusInternalServerError, err.Error())
		return
	}
	if len(event) > maxBody {
		writeError(w, http.StatusRequestEntityTooLarge, "Request Entity Too Large")
		return
	}

	// The function continues when the client disconnects.
	result, err := f.Invoke(context.WithoutCancel(r.Context()), event, InvokeOptions{})
	if err == nil {
		err = writeResponse(w, result, trigger)
	}
	if err != nil {
		status := http.StatusBadGateway
		if trigger == HTTPAPI {
			status = http.StatusInternalServerError
		}
		writeError(w, status, "Internal Server Error")
	}
}

// writeError writes a response of the trigger itself.
func writeError(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]string{"message": message}) // the client may have disconnected
}

// httpEvent returns the event for a request.
func (f *Function) httpEvent(r *http.Request, body []byte, trigger HTTPTrigger) any {
	addForwarded(r)
	switch trigger {
	case FunctionURL, HTTPAPI:
		return f.eventV2(r, body, trigger)
	case RESTAPI:
		return f.eventV1(r, body)
	}
	return f.eventALB(r, body, trigger)
}

// writeResponse writes the response of the function. It returns an error, and
// writes nothing, if the response is invalid.
func writeResponse(w http.ResponseWriter, result []byte, trigger HTTPTrigger) error {
	var res *response
	var err error
	switch trigger {
	case FunctionURL, HTTPAPI:
		res, err = parseV2(result)
	case RESTAPI:
		res, err = parseV1(result)
	default:
		res, err = parseALB(result, trigger)
	}
	if err != nil {
		return err
	}
	if res.status < 200 || res.status > 599 {
		return fmt.Errorf("%w: status code %d", errResponse, res.status)
	}
	// These are for the connection to the trigger, which sets its own.
	for _, name := range []string{"Connection", "Content-Length", "Transfer-Encoding"} {
		res.header.Del(name)
	}
	maps.Copy(w.Header(), res.header)
	w.WriteHeader(res.status)
	_, _ = w.Write(res.body) // the client may have disconnected
	return nil
}

// response is the HTTP response that a trigger makes from that of the function.
type response struct {
	status int
	header http.Header
	body   []byte
}

// cutStage removes the stage from the front of a path.
func cutStage(path string) (rest string, ok bool) {
	rest, ok = strings.CutPrefix(path, "/"+Stage)
	if rest == "" {
		rest = "/"
	}
	return rest, ok && rest[0] == '/'
}

// addForwarded adds the headers that all triggers add, and Host, which net/http removes
// from the headers.
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
	host, _, _ := net.SplitHostPort(r.RemoteAddr) // always valid in a server
	return host
}

// isTextType reports whether bodies of a content type are sent as text. All
// others are base64, including forms (ELB documentation; measured for HTTP
// APIs).
func isTextType(contentType string) bool {
	t, _, _ := mime.ParseMediaType(contentType)
	return strings.HasPrefix(t, "text/") || slices.Contains([]string{"application/json", "application/javascript", "application/xml"}, t)
}

// lowerCaseNames returns the headers with lower-case names.
func lowerCaseNames(h http.Header) map[string][]string {
	out := make(map[string][]string, len(h))
	for name, values := range h {
		out[strings.ToLower(name)] = values
	}
	return out
}

// lastValues returns the last value of each name.
func lastValues(all map[string][]string) map[string]string {
	out := make(map[string]string, len(all))
	for name, values := range all {
		out[name] = values[len(values)-1]
	}
	return out
}

// joinValues returns the values of each name, joined by commas.
func joinValues(all map[string][]string) map[string]string {
	out := make(map[string]string, len(all))
	for name, values := range all {
		out[name] = strings.Join(values, ",")
	}
	return out
}

// nilIfEmpty returns q, or nil if it is empty, which is null in JSON.
func nilIfEmpty(q url.Values) url.Values {
	if len(q) == 0 {
		return nil
	}
	return q
}
