package scf

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"

	"tocsin/pkg/localcloud/instance"
)

// maxBody is the largest event or answer in bytes (document/product/583/11637).
const maxBody = 6 << 20

// Custom is an instance of the runtime CustomRuntime: the function polls an HTTP
// interface of the platform's (document/product/583/47274).
type Custom struct {
	*deployment
	instance *instance.Instance
	queue    *instance.EventQueue
	server   *httptest.Server

	ready     chan struct{}
	readyOnce sync.Once
}

// StartCustom starts the function and returns once it has said that it is
// ready. ctx bounds the start only.
func StartCustom(ctx context.Context, o Options) (*Custom, error) {
	c := &Custom{deployment: newDeployment(o), queue: instance.NewEventQueue(), ready: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /runtime/init/ready", c.serveReady)
	mux.HandleFunc("GET /runtime/invocation/next", c.serveNext)
	mux.HandleFunc("POST /runtime/invocation/response", c.serveResult(false))
	mux.HandleFunc("POST /runtime/invocation/error", c.serveResult(true))
	c.server = httptest.NewServer(mux)

	addr := c.server.Listener.Addr().(*net.TCPAddr)
	env := mergeMaps(c.builtinEnv(), c.Env, map[string]string{
		"SCF_RUNTIME_API":      addr.IP.String(),
		"SCF_RUNTIME_API_PORT": strconv.Itoa(addr.Port),
		"_HANDLER":             "index.main_handler",
	})
	var err error
	if c.instance, err = instance.Start(c.Binary, c.Dir, env, c.Log); err != nil {
		c.server.Close()
		return nil, err
	}
	select {
	case <-c.ready:
		return c, nil
	case <-c.instance.Done():
		err = c.instance.Wait()
	case <-ctx.Done():
		err = fmt.Errorf("waiting for the function to be ready: %w", context.Cause(ctx))
	}
	c.Close()
	return nil, err
}

func (c *Custom) serveReady(http.ResponseWriter, *http.Request) {
	c.readyOnce.Do(func() { close(c.ready) })
}

func (c *Custom) serveNext(w http.ResponseWriter, r *http.Request) {
	select {
	case <-c.ready:
	default:
		http.Error(w, "not initialised: POST /runtime/init/ready first", http.StatusForbidden)
		return
	}
	e, ok := c.queue.Next(r.Context())
	if !ok {
		return
	}
	for name, value := range e.Header {
		w.Header().Set(name, value)
	}
	_, _ = w.Write(e.Payload) // if it does not arrive, the event times out
}

func (c *Custom) serveResult(failed bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
			return
		}
		if !c.queue.Respond("", instance.Result{Body: body, Failed: failed}) {
			http.Error(w, "no event is waiting for an answer", http.StatusBadRequest)
		}
	}
}

// Invoke sends one event and returns the answer, or an [*Error] that the
// function answered. An event that is not answered by its deadline is
// [ErrTimeout]; the process is gone then. The runtime is not told the deadline,
// only the time limit; how it would be given a new environment is not known, so
// Invoke.Environment is refused.
func (c *Custom) Invoke(ctx context.Context, payload []byte, in InvokeOptions) ([]byte, error) {
	if in.Environment != nil {
		return nil, errors.New("the custom runtime's environment is that of Options.Env")
	}
	ctx, cancel, in := c.withDefaults(ctx, in)
	defer cancel()
	a, err := c.queue.Invoke(ctx, c.instance, &instance.Event{ID: in.RequestID, Payload: payload, Header: map[string]string{
		"request_id":         in.RequestID,
		"memory_limit_in_mb": "128",
		"time_limit_in_ms":   strconv.FormatInt(c.Timeout.Milliseconds(), 10),
	}})
	if err != nil {
		if errors.Is(err, ErrTimeout) {
			c.instance.Close()
		}
		return nil, err
	}
	if a.Failed {
		return nil, customError(a.Body)
	}
	return a.Body, nil
}

// customError reads an error answer. The platform takes any text for one.
func customError(body []byte) *Error {
	var e struct {
		Type    string          `json:"errorType"`
		Message string          `json:"errorMessage"`
		Stack   json.RawMessage `json:"stackTrace"`
	}
	if json.Unmarshal(body, &e) != nil {
		e.Message = string(body)
	}
	return &Error{Type: e.Type, Message: e.Message, HasStack: e.Stack != nil}
}

// Output returns what the function wrote; it is complete after Close.
func (c *Custom) Output() string { return c.instance.Output() }

// Close kills the function, and closes the fronts to it.
func (c *Custom) Close() {
	c.instance.Close()
	c.server.Close()
	c.closeTriggers()
}
