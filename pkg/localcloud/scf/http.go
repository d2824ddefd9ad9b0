package scf

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"slices"
	"strings"
)

// HTTPTrigger is a kind of HTTP trigger.
type HTTPTrigger int

const (
	// FunctionURL is a function URL (document/product/583/96099). Its events
	// cannot hold binary bodies.
	FunctionURL HTTPTrigger = iota
	// APIGateway is an API gateway with integrated responses
	// (document/product/583/12513) that is configured to encode binary bodies
	// in base64 (document/product/628/51799).
	APIGateway
)

// Serve opens an HTTP trigger, a listener on the loopback, and returns its URL
// without a slash at the end. It is open until the function is closed. The
// function gets one event at a time from all triggers.
//
// A trigger responds with 413 to a request that is too large. The response to a
// failure of the function is not documented; here it is 502.
func (g *Go1) Serve(trigger HTTPTrigger) string { return g.serve(trigger, g.Invoke) }

// Serve opens an HTTP trigger; see [Go1.Serve].
func (c *Custom) Serve(trigger HTTPTrigger) string { return c.serve(trigger, c.Invoke) }

type invoker func(context.Context, []byte, InvokeOptions) ([]byte, error)

func (d *deployment) serve(trigger HTTPTrigger, invoke invoker) string {
	return d.triggers.Open(func(w http.ResponseWriter, r *http.Request) { d.serveHTTP(w, r, trigger, invoke) })
}

func (d *deployment) serveHTTP(w http.ResponseWriter, r *http.Request, trigger HTTPTrigger, invoke invoker) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, "the request is too large", http.StatusRequestEntityTooLarge)
		return
	}
	event, err := json.Marshal(httpEvent(r, body, trigger))
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if len(event) > maxBody {
		http.Error(w, "the request is too large", http.StatusRequestEntityTooLarge)
		return
	}

	d.invoking.Lock()
	// The function continues when the client disconnects.
	response, err := invoke(context.WithoutCancel(r.Context()), event, InvokeOptions{})
	d.invoking.Unlock()
	if err == nil {
		err = writeResponse(w, response, trigger)
	}
	if err != nil {
		http.Error(w, "the function failed", http.StatusBadGateway)
	}
}

// httpEvent returns the event for a request.
func httpEvent(r *http.Request, body []byte, trigger HTTPTrigger) map[string]any {
	client, _, _ := net.SplitHostPort(r.RemoteAddr) // always valid in a server
	header := map[string]string{}
	for name, values := range r.Header {
		header[strings.ToLower(name)] = strings.Join(values, ", ")
	}
	header["host"], header["x-scf-remote-addr"] = r.Host, client
	e := map[string]any{
		"headers":     header,
		"httpMethod":  r.Method,
		"path":        r.URL.EscapedPath(),
		"queryString": queryParameters(r),
		"body":        string(body),
	}
	if trigger == FunctionURL {
		return e
	}

	delete(header, "x-scf-remote-addr")
	e["requestContext"] = map[string]any{
		"serviceId":  "service-f94sy04v",
		"path":       "/",
		"httpMethod": "ANY",
		"requestId":  "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
		"identity":   map[string]string{},
		"sourceIp":   client,
		"stage":      "release",
	}
	for _, key := range []string{"pathParameters", "queryStringParameters", "headerParameters", "stageVariables"} {
		e[key] = map[string]string{}
	}
	e["isBase64Encoded"] = false
	if t, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); len(body) > 0 && t != "application/json" && !strings.HasPrefix(t, "text/") {
		e["body"], e["isBase64Encoded"] = base64.StdEncoding.EncodeToString(body), true
	}
	return e
}

// queryParameters returns the parameters of the query: a string for one value,
// a list for several, and true for a parameter without a value.
func queryParameters(r *http.Request) map[string]any {
	withoutValue := strings.Split(r.URL.RawQuery, "&")
	out := map[string]any{}
	for name, values := range r.URL.Query() {
		switch {
		case len(values) > 1:
			out[name] = values
		case slices.Contains(withoutValue, name):
			out[name] = true
		default:
			out[name] = values[0]
		}
	}
	return out
}

// integratedResponse is an integrated response (document/product/583/12513).
type integratedResponse struct {
	StatusCode      int                     `json:"statusCode"`
	Headers         map[string]headerValues `json:"headers"`
	Body            string                  `json:"body"`
	IsBase64Encoded bool                    `json:"isBase64Encoded"`
}

// headerValues are the values of a header: in JSON a string, or a list of
// strings.
type headerValues []string

func (v *headerValues) UnmarshalJSON(b []byte) error {
	if b[0] == '[' {
		return json.Unmarshal(b, (*[]string)(v))
	}
	*v = headerValues{""}
	return json.Unmarshal(b, &(*v)[0])
}

// writeResponse writes the response of the function. It returns an error, and
// writes nothing, if the response is invalid.
func writeResponse(w http.ResponseWriter, text []byte, trigger HTTPTrigger) error {
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(text, &keys); trigger == FunctionURL && json.Valid(text) && (err != nil || keys["statusCode"] == nil) {
		// Without a status code, the whole response is the body (583/96099).
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(text) // the client may have disconnected
		return nil
	}
	var a integratedResponse
	if err := json.Unmarshal(text, &a); err != nil {
		return fmt.Errorf("parse the response: %w", err)
	}
	if a.StatusCode < 200 || a.StatusCode > 599 {
		return errors.New("the response has no valid status code")
	}
	body := []byte(a.Body)
	if a.IsBase64Encoded {
		var err error
		if body, err = base64.StdEncoding.DecodeString(a.Body); err != nil {
			return fmt.Errorf("decode the body: %w", err)
		}
	}
	for name, values := range a.Headers {
		w.Header()[http.CanonicalHeaderKey(name)] = values
	}
	// These are for the connection to the trigger, which sets its own.
	for _, name := range []string{"Connection", "Content-Length", "Transfer-Encoding"} {
		w.Header().Del(name)
	}
	w.WriteHeader(a.StatusCode)
	_, _ = w.Write(body) // the client may have disconnected
	return nil
}
