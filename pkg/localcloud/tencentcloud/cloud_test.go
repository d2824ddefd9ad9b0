package tencentcloud

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"tocsin/pkg/localcloud/fault"
)

// clock is a clock that tests advance.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// client signs requests with the functions of tc3.go, which TestVectors compares with the
// vendor's example.
type client struct {
	*Cloud
	*clock
	url       string
	id, key   string
	region    string
	versionOf map[string]string
}

func newClient(t *testing.T) *client {
	t.Helper()
	at := &clock{t: time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)}
	cloud := New(at.now)
	cloud.SetKey("AKIDtest", Key{Secret: "key"})
	server := httptest.NewServer(cloud)
	t.Cleanup(server.Close)
	return &client{Cloud: cloud, clock: at, url: server.URL, id: "AKIDtest", key: "key", region: "ap-guangzhou",
		versionOf: map[string]string{"ckafka": "2019-08-19", "sms": "2021-01-11", "vms": "2020-09-02"}}
}

// addInstance adds the instance ckafka-1.
func (c *client) addInstance(groups GroupSource) {
	c.AddInstance(Instance{ID: "ckafka-1", Region: "ap-guangzhou", Groups: groups})
}

func (c *client) request(ctx context.Context, service, action, body string) *http.Request {
	now := c.clock.now().UTC()
	r, _ := http.NewRequestWithContext(ctx, http.MethodPost, c.url, strings.NewReader(body))
	r.Host = r.URL.Host
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-TC-Action", action)
	r.Header.Set("X-TC-Version", c.versionOf[service])
	r.Header.Set("X-TC-Region", c.region)
	r.Header.Set("X-TC-Timestamp", fmt.Sprint(now.Unix()))
	date, names := now.Format(time.DateOnly), []string{"content-type", "host"}
	text := stringToSign(fmt.Sprint(now.Unix()), date, service, canonicalRequest(r, names, []byte(body)))
	r.Header.Set("Authorization", fmt.Sprintf("TC3-HMAC-SHA256 Credential=%s/%s/%s/tc3_request, SignedHeaders=content-type;host, Signature=%s",
		c.id, date, service, signature(c.key, date, service, text)))
	return r
}

// call returns the fields of the response, or the code and message of its error.
func (c *client) call(t *testing.T, service, action, body string) (fields map[string]any, code, message string) {
	t.Helper()
	response, err := http.DefaultClient.Do(c.request(t.Context(), service, action, body))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Fatalf("status = %s, want 200 OK", response.Status)
	}
	var doc struct{ Response map[string]any }
	if err := json.NewDecoder(response.Body).Decode(&doc); err != nil {
		t.Fatal(err)
	}
	if doc.Response["RequestId"] == "" {
		t.Error("RequestId is empty, want one")
	}
	if e, failed := doc.Response["Error"].(map[string]any); failed {
		return nil, e["Code"].(string), e["Message"].(string)
	}
	return doc.Response, "", ""
}

func TestErrors(t *testing.T) {
	tests := []struct {
		name                  string
		service, action, body string
		change                func(*client)
		code, message         string
	}{
		{name: "unknown action", service: "ckafka", action: "DeleteTopic", body: "{}", code: "InvalidAction"},
		{name: "action of another product", service: "sms", action: "DescribeGroup", body: "{}", code: "InvalidAction"},
		{name: "no region", service: "ckafka", action: "DescribeGroup", body: "{}", change: func(c *client) { c.region = "" }, code: "MissingParameter", message: "Region"},
		{name: "no instance", service: "ckafka", action: "DescribeGroup", body: "{}", code: "MissingParameter", message: "InstanceId"},
		{name: "no group", service: "ckafka", action: "DescribeGroupOffsets", body: `{"InstanceId":"ckafka-1"}`, code: "MissingParameter", message: "Group"},
		{name: "unknown instance", service: "ckafka", action: "DescribeGroup", body: `{"InstanceId":"ckafka-2"}`, code: "InvalidParameterValue.InstanceNotExist", message: "ckafka-2"},
		{name: "another region", service: "ckafka", action: "DescribeGroup", body: `{"InstanceId":"ckafka-1"}`, change: func(c *client) { c.region = "ap-beijing" }, code: "InvalidParameterValue.InstanceNotExist"},
		{name: "unknown parameter", service: "ckafka", action: "DescribeGroup", body: `{"InstanceId":"ckafka-1","Size":1}`, code: "UnknownParameter", message: "Size"},
		{name: "wrong type", service: "ckafka", action: "DescribeGroup", body: `{"InstanceId":1}`, code: "InvalidParameter"},
		{name: "page too large", service: "ckafka", action: "DescribeGroupOffsets", body: `{"InstanceId":"ckafka-1","Group":"g","Limit":51}`, code: "InvalidParameterValue"},
		{name: "negative offset", service: "ckafka", action: "DescribeGroupOffsets", body: `{"InstanceId":"ckafka-1","Group":"g","Offset":-1}`, code: "InvalidParameterValue"},
		{name: "wrong key", service: "ckafka", action: "DescribeGroup", body: `{}`, change: func(c *client) { c.key = "other" }, code: "AuthFailure.SignatureFailure"},
		{name: "removed key", service: "ckafka", action: "DescribeGroup", body: `{}`, change: func(c *client) { c.RemoveKey(c.id) }, code: "AuthFailure.SecretIdNotFound"},
		{
			name: "no permission", service: "ckafka", action: "DescribeGroupOffsets", body: `{"InstanceId":"ckafka-1","Group":"g"}`,
			change: func(c *client) {
				c.SetKey(c.id, Key{Secret: "key", Deny: []string{"ckafka:DescribeGroupOffsets"}})
			},
			code: "UnauthorizedOperation", message: "you are not authorized to perform operation (ckafka:DescribeGroupOffsets)",
		},
		{
			name: "group source fails", service: "ckafka", action: "DescribeGroup", body: `{"InstanceId":"ckafka-1"}`,
			change: func(c *client) { c.addInstance(brokenGroups{}) },
			code:   "InternalError", message: "no brokers",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := newClient(t)
			c.addInstance(StaticGroups{})
			if tt.change != nil {
				tt.change(c)
			}
			_, code, message := c.call(t, tt.service, tt.action, tt.body)
			if code != tt.code || !strings.Contains(message, tt.message) {
				t.Errorf("error = %q, %q; want %q and a message with %q", code, message, tt.code, tt.message)
			}
		})
	}
}

// brokenGroups is a GroupSource that fails.
type brokenGroups struct{}

func (brokenGroups) Groups(context.Context) ([]string, error) { return nil, errors.New("no brokers") }
func (brokenGroups) Offsets(context.Context, string) ([]Topic, error) {
	return nil, errors.New("no brokers")
}

func TestRateLimit(t *testing.T) {
	c := newClient(t)
	c.addInstance(StaticGroups{})
	call := func() string {
		_, code, _ := c.call(t, "ckafka", "DescribeGroup", `{"InstanceId":"ckafka-1"}`)
		return code
	}
	for i := range 100 {
		if code := call(); code != "" {
			t.Fatalf("code of request %d = %s, want none", i+1, code)
		}
	}
	if code := call(); code != "RequestLimitExceeded" {
		t.Errorf("code of request 101 in a second = %q, want RequestLimitExceeded", code)
	}
	if _, code, _ := c.call(t, "ckafka", "DescribeGroupOffsets", `{"InstanceId":"ckafka-1","Group":"g"}`); code != "" {
		t.Errorf("code of another action = %q, want none", code)
	}
	c.add(time.Second)
	if code := call(); code != "" {
		t.Errorf("code in the next second = %q, want none", code)
	}
	c.LimitRate(1)
	if code := call(); code != "RequestLimitExceeded" {
		t.Errorf("code of request 2 with a limit of 1 = %q, want RequestLimitExceeded", code)
	}
}

func TestFaults(t *testing.T) {
	c := newClient(t)
	c.addInstance(StaticGroups{})
	do := func(ctx context.Context) (string, error) {
		response, err := http.DefaultClient.Do(c.request(ctx, "ckafka", "DescribeGroup", `{"InstanceId":"ckafka-1"}`))
		if err != nil {
			return "", err
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		return response.Status + " " + string(body), err
	}

	c.Inject(Fault{Action: "SendSms", Do: fault.Hang})
	c.Inject(Fault{Action: "DescribeGroup", Times: 2, Do: Reject("InternalError", "try again")})
	c.Inject(Fault{Do: fault.Respond(502, "text/html", "<html>bad gateway</html>")})
	c.Inject(Fault{Do: fault.Pass})
	for _, want := range []string{
		`200 OK {"Response":{"Error":{"Code":"InternalError","Message":"try again"},"RequestId":"11111111-1111-4111-8111-111111111111"}}`,
		`200 OK {"Response":{"Error":{"Code":"InternalError","Message":"try again"},"RequestId":"11111111-1111-4111-8111-111111111111"}}`,
		`502 Bad Gateway <html>bad gateway</html>`,
		`200 OK {"Response":{"Result":{"TotalCount":0,"GroupList":[]},"RequestId":"00000000-0000-4000-8000-000000000001"}}`,
		`200 OK {"Response":{"Result":{"TotalCount":0,"GroupList":[]},"RequestId":"00000000-0000-4000-8000-000000000002"}}`,
	} {
		if got, err := do(t.Context()); got != want || err != nil {
			t.Errorf("got %q, %v; want %q and no error", got, err, want)
		}
	}

	c.Inject(Fault{Do: fault.Truncate(`{"Response":{"Result":{}}}`)})
	if _, err := do(t.Context()); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("error of a truncated response = %v, want %v", err, io.ErrUnexpectedEOF)
	}
	c.Inject(Fault{Do: fault.Hang})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := do(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error without a response = %v, want %v", err, context.DeadlineExceeded)
	}

	if c.Count("DescribeGroup") != 7 || c.Count("") != 7 || c.Count("SendSms") != 0 {
		t.Errorf("counts = %d, %d, %d; want 7, 7, 0", c.Count("DescribeGroup"), c.Count(""), c.Count("SendSms"))
	}
	want := Request{Time: c.clock.now(), Action: "DescribeGroup", Region: "ap-guangzhou", SecretID: "AKIDtest", Body: `{"InstanceId":"ckafka-1"}`}
	if got := c.Requests(); len(got) != 7 || got[6] != want {
		t.Errorf("requests = %+v, want 7 of which the last is %+v", got, want)
	}
}

func TestConcurrentUse(t *testing.T) {
	c := newClient(t)
	c.LimitRate(1000)
	c.addInstance(StaticGroups{})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 10 {
				c.SetKey("AKIDother", Key{})
				c.call(t, "ckafka", "DescribeGroup", `{"InstanceId":"ckafka-1"}`)
			}
		})
	}
	wg.Wait()
	if c.Count("") != 80 {
		t.Errorf("count = %d, want 80", c.Count(""))
	}
}

func TestRemember(t *testing.T) {
	var list []int
	for i := range maxRemembered + 2 {
		list = remember(list, i)
	}
	if len(list) != maxRemembered || list[0] != 2 || list[maxRemembered-1] != maxRemembered+1 {
		t.Errorf("got %d members from %d to %d, want %d from 2 to %d", len(list), list[0], list[len(list)-1], maxRemembered, maxRemembered+1)
	}
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s = %v, want %v", what, got, want)
	}
}
