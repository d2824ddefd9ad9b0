package tencentcloud

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"tocsin/pkg/localcloud/fault"
)

// maxRemembered is the limit on the lists of requests and messages.
const maxRemembered = 1000

// Request is one received request, whatever its outcome.
type Request struct {
	Time     time.Time
	Action   string
	Region   string
	SecretID string
	Body     string
}

// requestLog holds the last requests and counts all.
type requestLog struct {
	last   []Request
	counts map[string]int
	total  int
}

// record logs a request and returns the fault that was injected for it, if any.
func (c *Cloud) record(r *http.Request, body []byte) fault.Handler {
	action := r.Header.Get("X-TC-Action")
	_, after, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	id, _, _ := strings.Cut(after, "/")
	request := Request{Time: c.now(), Action: action, Region: r.Header.Get("X-TC-Region"), SecretID: id, Body: string(body)}

	c.mu.Lock()
	defer c.mu.Unlock()
	c.log.total++
	if _, seen := c.log.counts[action]; seen || len(c.log.counts) < maxRemembered {
		c.log.counts[action]++
	}
	c.log.last = remember(c.log.last, request)
	return c.takeFault(action)
}

// Requests returns the last thousand requests, oldest first.
func (c *Cloud) Requests() []Request {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.log.last)
}

// Count returns the number of requests of an action, or with "" of all.
func (c *Cloud) Count(action string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if action == "" {
		return c.log.total
	}
	return c.log.counts[action]
}

// remember appends to a list that holds its last maxRemembered members only.
func remember[T any](list []T, v T) []T {
	if len(list) == maxRemembered {
		list = slices.Delete(list, 0, 1)
	}
	return append(list, v)
}
