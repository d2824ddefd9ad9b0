// Package tencentcloud simulates Tencent Cloud's API 3.0 for development and
// tests. It is as strict as the vendor: it verifies the TC3-HMAC-SHA256 signature
// of every request, rejects unknown parameters, enforces the rate limits, and
// responds with the vendor's error codes and HTTP status 200. It accepts POST with
// JSON bodies, and these actions:
//
//	ckafka 2019-08-19  DescribeGroup, DescribeGroupOffsets, DescribeGroupInfo
//	sms    2021-01-11  SendSms
//	vms    2020-09-02  SendTtsVoice
package tencentcloud

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"tocsin/pkg/localcloud/mailbox"
)

// maxBody is the maximum size of a request body signed with TC3.
const maxBody = 10 << 20

// Key is one API key, or the temporary key of a role.
type Key struct {
	Secret string
	// Token is the session token required with a temporary key.
	Token string
	// Expires is the end of the token's validity; zero is never.
	Expires time.Time
	// Deny lists actions without permission, such as "ckafka:DescribeGroup".
	Deny []string
}

// Cloud serves the API. It is an http.Handler, safe for concurrent use.
type Cloud struct {
	// SMS and Calls hold the messages and calls that phones received.
	SMS   mailbox.Box[SMS]
	Calls mailbox.Box[VoiceCall]

	now func() time.Time

	mu        sync.Mutex
	keys      map[string]Key
	instances map[string]Instance
	apps      map[string]*smsApp
	voiceApps map[string]*voiceApp
	faults    []Fault
	log       requestLog
	rates     map[string]rate
	perSecond int
	serial    int
}

// New returns a cloud without keys, instances and applications. Timestamps of
// requests may differ by 300 seconds from its clock now.
func New(now func() time.Time) *Cloud {
	return &Cloud{
		now:       now,
		keys:      map[string]Key{},
		instances: map[string]Instance{},
		apps:      map[string]*smsApp{},
		voiceApps: map[string]*voiceApp{},
		rates:     map[string]rate{},
		log:       requestLog{counts: map[string]int{}},
	}
}

// SetKey adds or replaces a key.
func (c *Cloud) SetKey(secretID string, k Key) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keys[secretID] = k
}

// RemoveKey removes a key.
func (c *Cloud) RemoveKey(secretID string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.keys, secretID)
}

// LimitRate replaces the vendor's limits by perSecond requests a second of each
// action.
func (c *Cloud) LimitRate(perSecond int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.perSecond = perSecond
}

// actions are the actions by product, version and name, with the vendor's limits
// of requests a second.
var actions = map[[3]string]struct {
	do        func(*Cloud, *call) (any, error)
	perSecond int
}{
	{"ckafka", "2019-08-19", "DescribeGroup"}:        {(*Cloud).describeGroup, 100},
	{"ckafka", "2019-08-19", "DescribeGroupOffsets"}: {(*Cloud).describeGroupOffsets, 100},
	{"ckafka", "2019-08-19", "DescribeGroupInfo"}:    {(*Cloud).describeGroupInfo, 100},
	{"sms", "2021-01-11", "SendSms"}:                 {(*Cloud).sendSms, 3000},
	{"vms", "2020-09-02", "SendTtsVoice"}:            {(*Cloud).sendTtsVoice, 20},
}

// call is one request with a valid signature.
type call struct {
	*http.Request
	region string
	body   []byte
}

// ServeHTTP serves one request.
func (c *Cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return
	}
	respond := func() { c.respond(w, r, body) }
	if do := c.record(r, body); do != nil {
		do(w, r, respond)
		return
	}
	respond()
}

func (c *Cloud) respond(w http.ResponseWriter, r *http.Request, body []byte) {
	response, err := c.execute(r, body)
	var apiErr *Error
	switch {
	case errors.As(err, &apiErr):
		writeError(w, c.requestID(), apiErr)
	case err != nil:
		writeError(w, c.requestID(), &Error{"InternalError", "An internal error has occurred: " + err.Error()})
	default:
		writeResponse(w, c.requestID(), response)
	}
}

// execute verifies a request and performs its action.
func (c *Cloud) execute(r *http.Request, body []byte) (any, error) {
	if r.Method != http.MethodPost {
		return nil, errorf("UnsupportedProtocol", "The HTTP(S) method %s is not supported, only POST is.", r.Method)
	}
	if len(body) > maxBody {
		return nil, errorf("RequestSizeLimitExceeded", "The request size exceeds the limit of 10 MB.")
	}
	key, service, err := c.verify(r, body)
	if err != nil {
		return nil, err
	}
	name := r.Header.Get("X-TC-Action")
	action, known := actions[[3]string{service, r.Header.Get("X-TC-Version"), name}]
	if !known {
		return nil, errorf("InvalidAction", "The request action=`%s` is invalid or not found in version `%s` of %s.", name, r.Header.Get("X-TC-Version"), service)
	}
	region := r.Header.Get("X-TC-Region")
	if region == "" {
		return nil, errorf("MissingParameter", "The request is missing a required parameter `Region`.")
	}
	if err := c.checkRate(service+":"+name, action.perSecond); err != nil {
		return nil, err
	}
	if slices.Contains(key.Deny, service+":"+name) {
		return nil, errorf("UnauthorizedOperation", "[request id:%s]you are not authorized to perform operation (%s:%s)\nresource (*) has no permission", c.requestID(), service, name)
	}
	return action.do(c, &call{Request: r, region: region, body: body})
}

// rate counts the requests of one action within one second.
type rate struct {
	second int64
	n      int
}

// checkRate counts a request of an action and rejects it above the limit.
func (c *Cloud) checkRate(action string, perSecond int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := rate{second: c.now().Unix()}
	if last := c.rates[action]; last.second == now.second {
		now.n = last.n
	}
	now.n++
	c.rates[action] = now
	perSecond = orDefault(c.perSecond, perSecond)
	if now.n > perSecond {
		return errorf("RequestLimitExceeded", "Your current request times equals to `%d` in a second, which exceeds the frequency limit `%d` for a second. Please reduce the frequency of calls.", now.n, perSecond)
	}
	return nil
}

// requestID returns the next request id.
func (c *Cloud) requestID() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.serial++
	return fmt.Sprintf("00000000-0000-4000-8000-%012x", c.serial)
}
