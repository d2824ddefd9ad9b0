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

// maxBody is the size limit of events and responses in bytes
// (document/product/583/11637).
const maxBody = 6 << 20

// Custom is an instance with the runtime CustomRuntime: the function polls an
// HTTP interface of the platform (document/product/583/47274).
type Custom struct {
	*deployment
	instance *instance.Instance
	queue    *instance.EventQueue
	server   *httptest.Server

	ready     chan struct{}
	readyOnce sync.Once
}

// StartCustom starts a function and returns once it reports that it is ready.
// ctx bounds the start only.
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
	if c.instance, err = instance.Start(c.Options, env); err != nil {
		c.server.Close()
		return nil, err
	}
	select {
	case <-c.ready:
		return c, nil
	case <-c.instance.Done():
		err = c.instance.Wait()
	case <-ctx.Done():
		err = fmt.Errorf("wait for the function to be ready: %w", context.Cause(ctx))
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
		http.Error(w, "not initialized: POST /runtime/init/ready first", http.StatusForbidden)
		return
	}
	e, ok := c.queue.Next(r.Context())
	if !ok {
		return
	}
	e.Write(w)
}

func (c *Custom) serveResult(failed bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
			return
		}
		if !c.queue.Respond("", instance.Result{Body: body, Failed: failed}) {
			http.Error(w, "no event is waiting for a response", http.StatusBadRequest)
		}
	}
}

// Invoke sends one event and returns the response, or an [*Error] that the
// function returned. For an event without a response by its deadline it kills
// the process and returns [ErrTimeout]. The runtime does not get the deadline,
// only the time limit. How it would get new environment variables is not
// documented, so InvokeOptions.Environment is rejected.
func (c *Custom) Invoke(ctx context.Context, payload []byte, in InvokeOptions) ([]byte, error) {
	if in.Environment != nil {
		return nil, errors.New("the custom runtime takes environment variables only from Options.Env")
	}
	ctx, cancel, in := c.withDefaults(ctx, in)
	defer cancel()
	result, err := c.queue.Invoke(ctx, c.instance, &instance.Event{ID: in.RequestID, Payload: payload, Header: map[string]string{
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
	if result.Failed {
		return nil, customError(result.Body)
	}
	return result.Body, nil
}

// customError parses an error response. The platform accepts any text.
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

// Output returns the output of the function. It is complete after Close.
func (c *Custom) Output() string { return c.instance.Output() }

// Close kills the function and closes its HTTP triggers.
func (c *Custom) Close() {
	c.instance.Close()
	c.server.Close()
	c.triggers.Close()
}
