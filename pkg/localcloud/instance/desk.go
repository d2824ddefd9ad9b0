package instance

import (
	"context"
	"sync"
)

// Event is one event on its way to an instance.
type Event struct {
	ID      string
	Payload []byte
	Header  map[string]string

	answered chan Result
}

// Answer is what an instance made of an event.
type Result struct {
	Body   []byte
	Failed bool
}

// Desk hands events to an instance that polls, one at a time.
type EventQueue struct {
	waiting chan *Event

	mu   sync.Mutex
	open *Event // taken and not answered
}

// NewDesk returns an empty desk.
func NewEventQueue() *EventQueue { return &EventQueue{waiting: make(chan *Event)} }

// Do lays e on the desk for i and waits for the answer. It gives up when i ends,
// and with the context's cause when ctx does.
func (d *EventQueue) Invoke(ctx context.Context, i *Instance, e *Event) (Result, error) {
	e.answered = make(chan Result, 1)
	waiting := d.waiting
	for {
		select {
		case waiting <- e:
			waiting = nil // taken; now for the answer
		case a := <-e.answered:
			return a, nil
		case <-i.Done():
			select {
			case a := <-e.answered: // before it ended
				return a, nil
			default:
				return Result{}, i.Wait()
			}
		case <-ctx.Done():
			return Result{}, context.Cause(ctx)
		}
	}
}

// Next takes the next event off the desk; false when ctx ended first.
func (d *EventQueue) Next(ctx context.Context) (*Event, bool) {
	select {
	case e := <-d.waiting:
		d.mu.Lock()
		defer d.mu.Unlock()
		d.open = e
		return e, true
	case <-ctx.Done():
		return nil, false
	}
}

// Answer hands in the answer to the event that was taken last. It is false when
// that is answered already or has another id; an empty id stands for any.
func (d *EventQueue) Respond(id string, a Result) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.open == nil || id != "" && id != d.open.ID {
		return false
	}
	d.open.answered <- a
	d.open = nil
	return true
}
