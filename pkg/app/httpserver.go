package app

import (
	"container/list"
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// Limits on a connection, so that no client can hold one for ever.
const (
	// headerTimeout bounds the time in which a client sends a header, and readTimeout
	// that in which it sends the whole request.
	headerTimeout = 10 * time.Second
	readTimeout   = 30 * time.Second
	// writeTimeout bounds the time from the end of the header to the end of the response.
	writeTimeout = time.Minute
	// idleTimeout is how long a connection is kept without a request. Prometheus sends
	// firing alerts every minute.
	idleTimeout = 3 * time.Minute
)

// NewHTTPServer returns a server of h. It opens at most half of the files that the
// process may open, because the store and the receivers need some, too.
func NewHTTPServer(h http.Handler) *http.Server {
	const most = 4096 // an idle connection takes 20 KB
	return newHTTPServer(h, min(most, maxFiles()/2))
}

// newHTTPServer returns a server that holds at most limit connections. When there are
// more, it closes the one that has been without a request for the longest time. It
// handles half as many requests at once and answers others with 503, so there is always
// such a connection.
func newHTTPServer(h http.Handler, limit int) *http.Server {
	c := &connections{limit: limit, waiting: list.New(), requests: make(chan struct{}, max(1, limit/2))}
	return &http.Server{
		Handler:           c.handler(h),
		ConnContext:       c.add,
		ConnState:         c.changed,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
	}
}

// connections are the open connections of a server.
type connections struct {
	limit    int
	requests chan struct{} // one element for each request that is handled

	mu      sync.Mutex
	open    map[net.Conn]*list.Element // in waiting; nil while a request is handled
	waiting *list.List                 // of net.Conn without a request, the longest first
}

type connectionKey struct{}

// add admits a new connection. It is an http.Server's ConnContext.
func (c *connections) add(ctx context.Context, conn net.Conn) context.Context {
	c.wait(conn)
	return context.WithValue(ctx, connectionKey{}, conn)
}

// changed removes a closed connection. It is an http.Server's ConnState.
func (c *connections) changed(conn net.Conn, state http.ConnState) {
	if state == http.StateClosed || state == http.StateHijacked {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.remove(conn)
	}
}

func (c *connections) remove(conn net.Conn) {
	if e := c.open[conn]; e != nil {
		c.waiting.Remove(e)
	}
	delete(c.open, conn)
}

// wait marks a connection as waiting for a request, and closes the one that has waited
// longest when there are too many.
func (c *connections) wait(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open == nil {
		c.open = map[net.Conn]*list.Element{}
	}
	c.open[conn] = c.waiting.PushBack(conn)
	if len(c.open) > c.limit {
		longest := c.waiting.Front().Value.(net.Conn)
		c.remove(longest)
		_ = longest.Close()
	}
}

// use marks a connection as used by a request.
func (c *connections) use(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.open[conn]; e != nil {
		c.waiting.Remove(e)
		c.open[conn] = nil
	}
}

// handler returns h with the limit on requests. It does not wait for the rest of a body
// that h did not read.
func (c *connections) handler(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := &requestBody{ReadCloser: r.Body, read: r.ContentLength == 0}
		r.Body = body
		defer func() {
			if !body.read { // net/http would read up to 256 KiB before it responds
				_ = http.NewResponseController(w).SetReadDeadline(time.Now())
			}
		}()
		select {
		case c.requests <- struct{}{}:
			defer func() { <-c.requests }()
		default:
			w.Header().Set("Retry-After", "1")
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, `{"code":503,"message":"too many requests at once: try again"}`) // fails when the client has disconnected
			return
		}
		conn := r.Context().Value(connectionKey{}).(net.Conn)
		c.use(conn)
		defer c.wait(conn)
		h.ServeHTTP(w, r)
	})
}

// requestBody is a request's body, which records whether it was read to its end.
type requestBody struct {
	io.ReadCloser
	read bool
}

func (b *requestBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.read = b.read || err == io.EOF
	return n, err
}
