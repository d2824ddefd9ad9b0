// Package lambda emulates AWS Lambda on one machine. It starts a built function
// and serves it the Runtime API, version 2018-06-01, as Lambda does for the
// runtime provided.al2023. HTTP requests reach the function through each kind
// of AWS's HTTP triggers.
package lambda

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync/atomic"
	"time"

	"tocsin/pkg/localcloud/instance"
)

// Options configure the deployment of a function.
type Options = instance.Options

// InvokeOptions configure the invocation for one event.
type InvokeOptions struct {
	// RequestID identifies the event, by default "request-1" and so on.
	RequestID string
	// Deadline is when the function is killed, by default after
	// Options.Timeout.
	Deadline time.Time
}

// Error is the error that the function returned.
type Error struct {
	Type       string          `json:"errorType"`
	Message    string          `json:"errorMessage"`
	StackTrace json.RawMessage `json:"stackTrace"` // nil without one
}

func (e *Error) Error() string { return e.Type + ": " + e.Message }

// ErrTimeout is returned for an event without a response by its deadline.
var ErrTimeout = errors.New("the function did not respond by the deadline")

// maxBody is the size limit of responses in bytes (Lambda quotas: 6 MB,
// synchronous).
const maxBody = 6 << 20

// Function is a running instance.
type Function struct {
	Options
	instance *instance.Instance
	queue    *instance.EventQueue
	server   *httptest.Server
	count    atomic.Int64
	triggers instance.Triggers
}

// Start starts a function. It does not wait until the function is ready; the
// first event does.
func Start(o Options) (*Function, error) {
	o = o.WithDefaults()
	f := &Function{Options: o, queue: instance.NewEventQueue()}
	f.server = httptest.NewServer(f.runtimeAPI())

	env := map[string]string{
		"AWS_LAMBDA_FUNCTION_NAME":        o.Name,
		"AWS_LAMBDA_FUNCTION_VERSION":     "$LATEST",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
		"AWS_REGION":                      "us-east-1",
		"LAMBDA_TASK_ROOT":                o.Dir,
		"_HANDLER":                        "bootstrap",
		"TZ":                              ":UTC",
		"PATH":                            "/usr/local/bin:/usr/bin/:/bin:/opt/bin",
	}
	maps.Copy(env, o.Env)
	env["AWS_LAMBDA_RUNTIME_API"] = f.server.Listener.Addr().String()
	var err error
	if f.instance, err = instance.Start(o, env); err != nil {
		f.server.Close()
		return nil, err
	}
	return f, nil
}

// runtimeAPI returns the handler of the Runtime API.
func (f *Function) runtimeAPI() http.Handler {
	const base = "/2018-06-01/runtime/"
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+base+"invocation/next", f.serveNext)
	mux.HandleFunc("POST "+base+"invocation/{id}/response", f.serveResult(false))
	mux.HandleFunc("POST "+base+"invocation/{id}/error", f.serveResult(true))
	return mux
}

func (f *Function) serveNext(w http.ResponseWriter, r *http.Request) {
	e, ok := f.queue.Next(r.Context())
	if !ok {
		return
	}
	e.Write(w)
}

func (f *Function) serveResult(failed bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
			return
		}
		if !f.queue.Respond(r.PathValue("id"), instance.Result{Body: body, Failed: failed}) {
			http.Error(w, `{"errorType":"InvalidRequestID","errorMessage":"Invalid request ID"}`, http.StatusBadRequest)
			return
		}
		w.WriteHeader(http.StatusAccepted)
	}
}

// Invoke sends one event and returns the response, or an [*Error] that the
// function returned. For an event without a response by its deadline it kills
// the process and returns [ErrTimeout].
func (f *Function) Invoke(ctx context.Context, payload []byte, in InvokeOptions) ([]byte, error) {
	in.RequestID = cmp.Or(in.RequestID, fmt.Sprintf("request-%d", f.count.Add(1)))
	if in.Deadline.IsZero() {
		in.Deadline = time.Now().Add(f.Timeout)
	}
	ctx, cancel := context.WithDeadlineCause(ctx, in.Deadline, ErrTimeout)
	defer cancel()
	result, err := f.queue.Invoke(ctx, f.instance, &instance.Event{ID: in.RequestID, Payload: payload, Header: map[string]string{
		"Lambda-Runtime-Aws-Request-Id":       in.RequestID,
		"Lambda-Runtime-Deadline-Ms":          strconv.FormatInt(in.Deadline.UnixMilli(), 10),
		"Lambda-Runtime-Invoked-Function-Arn": "arn:aws:lambda:us-east-1:123456789012:function:" + f.Name,
		"Lambda-Runtime-Trace-Id":             "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=0",
		"Content-Type":                        "application/json",
	}})
	if err != nil {
		if errors.Is(err, ErrTimeout) {
			f.instance.Close()
		}
		return nil, err
	}
	if !result.Failed {
		return result.Body, nil
	}
	e := new(Error)
	if err := json.Unmarshal(result.Body, e); err != nil {
		return nil, fmt.Errorf("parse the function's error: %w", err)
	}
	return nil, e
}

// Output returns the output of the function. It is complete after Close.
func (f *Function) Output() string { return f.instance.Output() }

// PeakMemory returns the peak memory of the function in bytes. It is not known
// after Close.
func (f *Function) PeakMemory() (int64, error) { return f.instance.PeakMemory() }

// Close kills the function and closes its HTTP triggers.
func (f *Function) Close() {
	f.instance.Close()
	f.server.Close()
	f.triggers.Close()
}
