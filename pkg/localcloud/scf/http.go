package scf

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"mime"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
)

// HTTPTrigger is a way by which Tencent Cloud lets HTTP in to a function.
type HTTPTrigger int

const (
	// FunctionURL is a function URL (document/product/583/96099). Its events
	// have no place for what is no text.
	FunctionURL HTTPTrigger = iota
	// APIGateway is an API gateway with integrated responses
	// (document/product/583/12513), which is set to send as base64 what is no
	// text (document/product/628/51799).
	APIGateway
)

// Serve opens a front to the function, a listener on the loopback, and returns
// its URL, without a slash at the end. It is open until the function is closed.
// A function has one event at a time, from all its fronts.
//
// A front answers 413 to a request that is too large. What the real ones answer
// when a function fails is not documented; these answer 502.
func (g *Go1) Serve(front HTTPTrigger) string { return g.serve(front, g.Invoke) }

// Serve opens a front to the function, as [Go1.Serve] does.
func (c *Custom) Serve(front HTTPTrigger) string { return c.serve(front, c.Invoke) }

type invoker func(context.Context, []byte, InvokeOptions) ([]byte, error)

func (d *deployment) serve(front HTTPTrigger, invoke invoker) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.serveHTTP(w, r, front, invoke)
	}))
	d.mu.Lock()
	defer d.mu.Unlock()
	d.triggers = append(d.triggers, s)
	return s.URL
}

func (d *deployment) closeTriggers() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range d.triggers {
		s.Close()
	}
}

func (d *deployment) serveHTTP(w http.ResponseWriter, r *http.Request, front HTTPTrigger, invoke invoker) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, "the request is too large", http.StatusRequestEntityTooLarge)
		return
	}
	event, err := json.Marshal(httpEvent(r, body, front))
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	if len(event) > maxBody {
		http.Error(w, "the request is too large", http.StatusRequestEntityTooLarge)
		return
	}

	d.invoking.Lock()
	// A client that goes away does not stop the function.
	answer, err := invoke(context.WithoutCancel(r.Context()), event, InvokeOptions{})
	d.invoking.Unlock()
	if err == nil {
		err = writeResponse(w, answer, front)
	}
	if err != nil {
		http.Error(w, "the function failed", http.StatusBadGateway)
	}
}

// httpEvent is what the function is sent.
func httpEvent(r *http.Request, body []byte, front HTTPTrigger) map[string]any {
	client, _, _ := net.SplitHostPort(r.RemoteAddr) // net/http writes it right
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
	if front == FunctionURL {
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

// query has a text for a parameter with one value, a list for one with several,
// and true for one without.
func queryParameters(r *http.Request) map[string]any {
	bare := strings.Split(r.URL.RawQuery, "&")
	out := map[string]any{}
	for name, values := range r.URL.Query() {
		switch {
		case len(values) > 1:
			out[name] = values
		case slices.Contains(bare, name):
			out[name] = true
		default:
			out[name] = values[0]
		}
	}
	return out
}
