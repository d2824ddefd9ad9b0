package tencentcloud

import (
	"fmt"
	"net/http"
	"time"
)

// Fault is something that goes wrong with the next requests.
type Fault struct {
	// Action is the only action that it befalls, "" for any.
	Action string
	// Times is how many requests it befalls; 0 means one.
	Times int
	// Do answers instead of the cloud; next is the cloud's own answer.
	Do func(w http.ResponseWriter, r *http.Request, next func())
}

// Fail lets a fault befall the next requests. Faults wait their turn: the first
// that fits a request befalls it.
func (c *Cloud) Fail(f Fault) {
	f.Times = max(f.Times, 1)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults = append(c.faults, f)
}

// takeFault returns what befalls a request of an action, nil for nothing. The
// caller holds the lock.
func (c *Cloud) takeFault(action string) func(http.ResponseWriter, *http.Request, func()) {
	for i := range c.faults {
		f := &c.faults[i]
		if f.Times > 0 && (f.Action == "" || f.Action == action) {
			f.Times--
			return f.Do
		}
	}
	return nil
}

// Refuse answers with an error of the API.
func Refuse(code, message string) func(http.ResponseWriter, *http.Request, func()) {
	return func(w http.ResponseWriter, _ *http.Request, _ func()) {
		writeError(w, "11111111-1111-4111-8111-111111111111", &Error{code, message})
	}
}

// Answer answers with any text, such as the HTML page of a proxy.
func Answer(status int, contentType, body string) func(http.ResponseWriter, *http.Request, func()) {
	return func(w http.ResponseWriter, _ *http.Request, _ func()) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

// Hang answers nothing until the client has gone away.
func Hang(_ http.ResponseWriter, r *http.Request, _ func()) {
	<-r.Context().Done()
	panic(http.ErrAbortHandler) // to return is to answer, which a client that is just going may still read
}

// Slow answers as usual, but late.
func Slow(by time.Duration) func(http.ResponseWriter, *http.Request, func()) {
	return func(_ http.ResponseWriter, r *http.Request, next func()) {
		select {
		case <-time.After(by):
			next()
		case <-r.Context().Done():
		}
	}
}

// Half sends the first half of an answer and closes the connection.
func Half(w http.ResponseWriter, _ *http.Request, _ func()) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", "200")
	fmt.Fprint(w, `{"Response":{"Result":{"TotalCount":`)
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}
