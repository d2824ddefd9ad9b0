package faas

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
)

// ServeHTTP runs an HTTP function on the platform that started this program. It
// does not return.
//
// It accepts requests from SCF's function URL and API gateway, and from
// Lambda's function URL, HTTP API, REST API and Application Load Balancer,
// which it recognizes by the event's fields. The handler gets a request as from
// a net/http server, with the client's address in RemoteAddr, and with the
// platform's deadline and the event's [Invocation] in its context. The handler
// must complete its work before it returns, because the instance may be frozen
// afterwards.
//
// The response is buffered until the handler returns. A response that exceeds
// the platform's limit, and a panic, become status 500, with the reason only in
// the log. An event that is not an HTTP request is an error of the function,
// never a request for /.
//
// Building and logging are as in [ServeTimer]. The log line of an event also
// has method, path (without the query, which may contain a token) and status.
// If build fails, the function fails: Lambda's HTTP triggers then respond with
// 502 or 500, without the reason.
func ServeHTTP(build func(context.Context) (http.Handler, error)) {
	serve(func(ctx context.Context) (handler, error) {
		h, err := build(ctx)
		if err != nil {
			return nil, err
		}
		return httpFunction{h, slog.Default()}.handle, nil
	})
}

// httpFunction processes events with an http.Handler.
type httpFunction struct {
	http.Handler
	log *slog.Logger
}

// maxPathLogged limits the path in the log, in bytes.
const maxPathLogged = 256

func (f httpFunction) handle(ctx context.Context, event []byte) (any, error) {
	r, format, err := parseHTTP(event)
	if err != nil {
		return nil, err
	}
	w := f.serve(r.WithContext(ctx))
	body, err := w.encode(format)
	if err != nil {
		f.log.ErrorContext(ctx, "response replaced by an error", "err", err)
		w = newResponseRecorder(r.Method)
		http.Error(w, "the answer is too large", http.StatusInternalServerError)
		if body, err = w.encode(format); err != nil {
			return nil, err
		}
	}
	addLogAttrs(ctx,
		slog.String("method", r.Method),
		slog.String("path", r.URL.Path[:min(len(r.URL.Path), maxPathLogged)]),
		slog.Int("status", w.status),
	)
	return body, nil
}

// serve calls the handler. If it panics, serve returns an error response.
func (f httpFunction) serve(r *http.Request) (w *responseRecorder) {
	defer func() {
		p := recover()
		if p == nil {
			return
		}
		if p != http.ErrAbortHandler { //nolint:errorlint // net/http compares the panic value as well
			logPanic(r.Context(), f.log, p)
		}
		w = newResponseRecorder(r.Method)
		http.Error(w, (&panicError{FromContext(r.Context()).RequestID}).Error(), http.StatusInternalServerError)
	}()
	w = newResponseRecorder(r.Method)
	f.ServeHTTP(w, r)
	w.finish()
	return w
}

// httpFormat is a platform's format of requests and responses.
type httpFormat int

const (
	formatSCF           httpFormat = iota // SCF function URL and API gateway
	formatLambdaV2                        // Lambda function URL, and HTTP API with payload format 2.0
	formatLambdaV1                        // REST API, and HTTP API with payload format 1.0
	formatALB                             // Application Load Balancer
	formatALBMultiValue                   // Application Load Balancer with multi-value headers
)

// maxHTTPEvent is the size limit of events from SCF and Lambda in bytes
// (document/product/583/11637; Lambda quotas).
const maxHTTPEvent = 6 << 20

// httpEvent has the fields that are read from an event of any format.
type httpEvent struct {
	// Type is set for timers, and for requests of API Gateway to an authorizer,
	// which otherwise look like HTTP requests.
	Type json.RawMessage `json:"type"`

	Version    string `json:"version"`
	Resource   string `json:"resource"`
	HTTPMethod string `json:"httpMethod"`

	Path            string     `json:"path"`
	RawPath         string     `json:"rawPath"`
	RawQuery        string     `json:"rawQueryString"`
	SCFQuery        parameters `json:"queryString"`
	Query           parameters `json:"queryStringParameters"`
	MultiValueQuery parameters `json:"multiValueQueryStringParameters"`

	Headers           parameters `json:"headers"`
	MultiValueHeaders parameters `json:"multiValueHeaders"`
	Cookies           []string   `json:"cookies"`

	Body            string `json:"body"`
	IsBase64Encoded bool   `json:"isBase64Encoded"`

	Context struct {
		HTTP *struct {
			Method   string `json:"method"`
			SourceIP string `json:"sourceIp"`
		} `json:"http"`
		Identity struct {
			SourceIP string `json:"sourceIp"`
		} `json:"identity"`
		ELB        *struct{} `json:"elb"`
		SourceIP   string    `json:"sourceIp"` // SCF
		DomainName string    `json:"domainName"`
		Stage      string    `json:"stage"`
	} `json:"requestContext"`
}

// decodeHTTP decodes the event of an HTTP request and recognizes its format. The
// error for any other event names the event's keys, without values.
func decodeHTTP(event []byte) (*httpEvent, httpFormat, error) {
	if len(event) > maxHTTPEvent {
		return nil, 0, fmt.Errorf("the event has %d bytes: an HTTP request's has at most %d", len(event), maxHTTPEvent)
	}
	e := new(httpEvent)
	if json.Unmarshal(event, e) == nil {
		if format, ok := e.format(); ok {
			return e, format, nil
		}
	}

	if t, err := parseTimer(event); err == nil {
		return nil, 0, fmt.Errorf("the event is a timer's (%s), and this function takes HTTP requests: remove its timer trigger", t.Source)
	}
	const hint = "call this function through a function URL, an API gateway or a load balancer"
	var keys map[string]json.RawMessage
	if json.Unmarshal(event, &keys) != nil {
		return nil, 0, errors.New("the event is not a JSON object: " + hint)
	}
	return nil, 0, &unknownEvent{"an HTTP request's", hint, slices.Sorted(maps.Keys(keys))}
}

func (e *httpEvent) format() (format httpFormat, ok bool) {
	switch {
	case e.Type != nil:
		return 0, false
	case e.Version == "2.0" && e.Context.HTTP != nil:
		return formatLambdaV2, true
	case e.HTTPMethod == "":
		return 0, false
	case e.Context.ELB != nil && e.MultiValueHeaders != nil:
		return formatALBMultiValue, true
	case e.Context.ELB != nil:
		return formatALB, true
	case e.Resource != "":
		return formatLambdaV1, true
	}
	return formatSCF, e.Path != "" && e.Headers != nil
}

// parameters are headers or query parameters by name.
type parameters map[string]values

// values are the values of a parameter: in JSON a string for one, or a list for
// several. SCF's API gateway sends true for a parameter without a value.
type values []string

func (v *values) UnmarshalJSON(b []byte) error {
	switch b[0] {
	case '[':
		return json.Unmarshal(b, (*[]string)(v))
	case 't':
		*v = values{""}
		return nil
	}
	var one *string
	if err := json.Unmarshal(b, &one); err != nil {
		return err
	}
	if one != nil {
		*v = values{*one}
	}
	return nil
}
