package tencentcloud

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// keep is how many requests and messages are remembered.
const maxRemembered = 1000

// Request is one request that arrived, whatever became of it.
type Request struct {
	Time     time.Time
	Action   string
	Region   string
	SecretID string
	Body     string
}

// journal is what the cloud remembers of its requests.
type requestLog struct {
	last   []Request
	counts map[string]int
	total  int
}

// record remembers a request and returns the fault that befalls it, if any.
func (c *Cloud) record(r *http.Request, body []byte) func(http.ResponseWriter, *http.Request, func()) {
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

// Requests returns the last thousand requests in the order in which they came.
func (c *Cloud) Requests() []Request {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.log.last)
}

// Count returns how many requests of an action came, and of any with "".
func (c *Cloud) Count(action string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if action == "" {
		return c.log.total
	}
	return c.log.counts[action]
}

// remember appends to a list that keeps its last members only.
func remember[T any](list []T, v T) []T {
	if len(list) == maxRemembered {
		list = slices.Delete(list, 0, 1)
	}
	return append(list, v)
}
