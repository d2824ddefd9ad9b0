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

// Write responds to a poll with the event. One that is lost on its way times out.
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
	current *Event // polled and without a result
}

// NewEventQueue returns an empty queue.
func NewEventQueue() *EventQueue { return &EventQueue{pending: make(chan *Event)} }

// Invoke passes e to the instance i and returns its result. It returns i's error when
// i ends, and the context's cause when ctx is done.
func (q *EventQueue) Invoke(ctx context.Context, i *Instance, e *Event) (Result, error) {
	e.result = make(chan Result, 1)
	pending := q.pending
	for {
		select {
		case pending <- e:
			pending = nil // polled: only the result is left to wait for
		case result := <-e.result:
			return result, nil
		case <-i.Done():
			select {
			case result := <-e.result: // before it ended
				return result, nil
			default:
				return Result{}, i.Wait()
			}
		case <-ctx.Done():
			return Result{}, context.Cause(ctx)
		}
	}
}

// Next returns the next event, and false when ctx is done first.
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

// Respond sets the result of the event that Next returned last. It returns false when
// that has a result already or another id; an empty id stands for any.
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
