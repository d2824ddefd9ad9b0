package instance

import (
	"context"
	"net/http"
	"sync"
)

// Event is an event for an instance.
type Event struct {
	ID      string
	Payload []byte
	Header  map[string]string

	result chan Result
}

// Write responds to a poll with the event. If the response does not arrive, the event
// times out.
func (e *Event) Write(w http.ResponseWriter) {
	for name, value := range e.Header {
		w.Header().Set(name, value)
	}
	_, _ = w.Write(e.Payload)
}

// Result is an instance's response to an event.
type Result struct {
	Body   []byte
	Failed bool
}

// EventQueue passes events to an instance that polls, one at a time.
type EventQueue struct {
	pending chan *Event

	mu      sync.Mutex
	current *Event // polled, but without a result; nil for none
}

// NewEventQueue returns an empty queue.
func NewEventQueue() *EventQueue { return &EventQueue{pending: make(chan *Event)} }

// Invoke passes e to the instance i, which polls the queue, and returns the result. It
// returns i's error if i ends first, and the context's cause if ctx does.
func (q *EventQueue) Invoke(ctx context.Context, i *Instance, e *Event) (Result, error) {
	e.result = make(chan Result, 1)
	pending := q.pending
	for {
		select {
		case pending <- e:
			pending = nil // polled: from now on wait for the result only
		case result := <-e.result:
			return result, nil
		case <-i.Done():
			select {
			case result := <-e.result: // it responded before it ended
				return result, nil
			default:
				return Result{}, i.Wait()
			}
		case <-ctx.Done():
			return Result{}, context.Cause(ctx)
		}
	}
}

// Next waits for the next event. It returns false if ctx is done first.
func (q *EventQueue) Next(ctx context.Context) (*Event, bool) {
	select {
	case e := <-q.pending:
		q.mu.Lock()
		defer q.mu.Unlock()
		q.current = e
		return e, true
	case <-ctx.Done():
		return nil, false
	}
}

// Respond sets the result of the event that Next returned last. It returns false if that
// event has a result already, or if id is neither its ID nor "".
func (q *EventQueue) Respond(id string, result Result) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.current == nil || id != "" && id != q.current.ID {
		return false
	}
	q.current.result <- result
	q.current = nil
	return true
}
