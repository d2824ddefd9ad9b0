package tencentcloud

import (
	"net/http"

	"tocsin/pkg/localcloud/fault"
)

// Fault replaces the cloud's response to the next requests.
type Fault struct {
	// Action restricts the fault to requests of one action; "" is any.
	Action string
	// Times is how many requests the fault applies to; 0 means one.
	Times int
	// Do responds to the request. Its argument next writes the cloud's own response.
	Do fault.Handler
}

// Inject queues a fault. A request gets the first queued fault that applies to it.
func (c *Cloud) Inject(f Fault) {
	f.Times = max(f.Times, 1)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults = append(c.faults, f)
}

// takeFault returns the fault for a request of an action, nil for none. The caller
// holds the lock.
func (c *Cloud) takeFault(action string) fault.Handler {
	for i := range c.faults {
		f := &c.faults[i]
		if f.Times > 0 && (f.Action == "" || f.Action == action) {
			f.Times--
			return f.Do
		}
	}
	return nil
}

// Reject responds with an error of the API.
func Reject(code, message string) fault.Handler {
	return func(w http.ResponseWriter, _ *http.Request, _ func()) {
		writeError(w, "11111111-1111-4111-8111-111111111111", &Error{code, message})
	}
}
