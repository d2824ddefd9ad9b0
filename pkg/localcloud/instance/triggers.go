package instance

import (
	"net/http"
	"net/http/httptest"
	"sync"
)

// Triggers are the HTTP triggers of a function. The zero Triggers has none.
type Triggers struct {
	mu      sync.Mutex
	servers []*httptest.Server
}

// Open opens a trigger, a listener on the loopback, and returns its URL without a slash
// at the end.
func (t *Triggers) Open(h http.HandlerFunc) (url string) {
	s := httptest.NewServer(h)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.servers = append(t.servers, s)
	return s.URL
}

// Close closes all triggers.
func (t *Triggers) Close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range t.servers {
		s.Close()
	}
}
