// Package fault scripts what goes wrong with the requests to a server of the
// local cloud.
package fault

import (
	"net/http"
	"slices"
	"sync"
)

// Handler answers a request instead of the server; next is the server's own
// answer.
type Handler func(w http.ResponseWriter, r *http.Request, next func())

// Queue counts a server's requests and holds what befalls the next of them. The
// zero Queue lets all through. It is safe for concurrent use.
type Queue struct {
	mu      sync.Mutex
	waiting []Handler // one for each request
	calls   int
}

// Fail lets do befall the next requests, as many as times says, after those that
// already wait.
func (q *Queue) Inject(times int, do Handler) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = append(q.waiting, slices.Repeat([]Handler{do}, times)...)
}

// Calls returns how many requests came in, whatever became of them.
func (q *Queue) Calls() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.calls
}

// Handle counts a request and answers it: by the fault whose turn it is, or by
// own, the server's answer.
func (q *Queue) Handle(w http.ResponseWriter, r *http.Request, own func()) {
	if do := q.next(); do != nil {
		do(w, r, own)
		return
	}
	own()
}

func (q *Queue) next() Handler {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.calls++
	if len(q.waiting) == 0 {
		return nil
	}
	do := q.waiting[0]
	q.waiting = q.waiting[1:]
	return do
}
