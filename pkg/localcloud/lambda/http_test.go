package lambda

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"tocsin/pkg/localcloud/functiontest"
)

func startEcho(t *testing.T, trigger HTTPTrigger) string {
	t.Helper()
	f, err := Start(Options{Binary: functiontest.Binary(t), Name: "echo", Env: map[string]string{"ECHO": "1"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return f.Serve(trigger)
}

// TestHTTPEvents compares the events that the triggers make from the same
// request.
func TestHTTPEvents(t *testing.T) {
	const target = "/event%2Fs/%E4%B8%AD?k=1&k=2%26&flag"
	header := http.Header{
		"Cookie":          {"a=1; b=2"},
		"X-Many":          {"one, two", "three"},
		"X-Forwarded-For": {"6.6.6.6"},
	}
	for name, c := range map[string]struct {
		trigger HTTPTrigger
		want    string // values by their path in the event
	}{
		"function URL": {FunctionURL, `{
			"version":"2.0", "rawPath":"/event%2Fs/%E4%B8%AD", "rawQueryString":"k=1&k=2%26&flag",
			"cookies":["a=1","b=2"], "queryStringParameters":{"k":"1,2&","flag":""},
			"requestContext.http.method":"POST", "requestContext.http.sourceIp":"127.0.0.1", "requestContext.stage":"$default",
			"headers.host":"api.example.com", "headers.x-many":"one, two,three", "headers.cookie":null, "headers.x-forwarded-for":"6.6.6.6, 127.0.0.1",
			"body":"{}", "isBase64Encoded":false}`},
		"HTTP API": {HTTPAPI, `{
			"version":"2.0", "rawPath":"/prod/event/s/中", "rawQueryString":"k=1&k=2%26&flag",
			"requestContext.stage":"prod", "requestContext.http.path":"/prod/event/s/中", "body":"{}"}`},
		"REST API": {RESTAPI, `{
			"version":null, "resource":"/{proxy+}", "path":"/event%2Fs/%E4%B8%AD", "httpMethod":"POST",
			"queryStringParameters":{"k":"2&","flag":""}, "multiValueQueryStringParameters":{"k":["1","2&"],"flag":[""]},
			"headers.X-Many":"three", "multiValueHeaders.X-Many":["one, two","three"], "headers.Host":"api.example.com",
			"requestContext.identity.sourceIp":"127.0.0.1", "requestContext.path":"/prod/event%2Fs/%E4%B8%AD", "requestContext.stage":"prod",
			"body":"e30=", "isBase64Encoded":true}`},
		"ALB": {ALB, `{
			"path":"/event%2Fs/%E4%B8%AD", "httpMethod":"POST", "queryStringParameters":{"k":"2%26","flag":""}, "multiValueQueryStringParameters":null,
			"headers.x-many":"three", "headers.cookie":"a=1; b=2", "multiValueHeaders":null, "headers.x-forwarded-for":"6.6.6.6, 127.0.0.1",
			"requestContext":{"elb":{"targetGroupArn":"arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/echo/abcdefg"}},
			"body":"{}", "isBase64Encoded":false}`},
		"ALB with multi-value headers": {ALBMultiValue, `{
			"queryStringParameters":null, "multiValueQueryStringParameters":{"k":["1","2%26"],"flag":[""]},
			"headers":null, "multiValueHeaders.x-many":["one, two","three"], "multiValueHeaders.host":["api.example.com"]}`},
	} {
		t.Run(name, func(t *testing.T) {
			res, body := functiontest.Post(t, startEcho(t, c.trigger)+target, "application/json; charset=utf-8", "{}", header)
			if res.StatusCode != 200 {
				t.Fatalf("got %s, body %s; want 200", res.Status, body)
			}
			var event, want map[string]any
			if err := json.Unmarshal([]byte(body), &event); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal([]byte(c.want), &want); err != nil {
				t.Fatal(err)
			}
			for path, v := range want {
				if got := valueAt(event, path); !reflect.DeepEqual(got, v) {
					t.Errorf("%s: got %v, want %v", path, got, v)
				}
			}
		})
	}
}

// valueAt returns the value at a path of keys.
func valueAt(event map[string]any, path string) any {
	var v any = event
	for key := range strings.SplitSeq(path, ".") {
		m, _ := v.(map[string]any)
		v = m[key]
	}
	return v
}

// TestBase64Bodies checks which bodies the triggers encode in base64.
func TestBase64Bodies(t *testing.T) {
	urls := map[string]string{"v2": startEcho(t, HTTPAPI) + "/event", "alb": startEcho(t, ALB) + "/event"}
	for _, c := range []struct {
		contentType, encoding string
		v2, alb               bool
	}{
		{"application/json", "", false, false},
		{"text/plain; charset=utf-8", "", false, false},
		{"application/xml", "", false, false},
		{"application/javascript", "", false, false},
		{"application/x-www-form-urlencoded", "", true, true},
		{"application/octet-stream", "", true, true},
		{"", "", true, true},
		{"application/json", "identity", false, true},
	} {
		for name, want := range map[string]bool{"v2": c.v2, "alb": c.alb} {
			header := http.Header{"Content-Encoding": {c.encoding}}
			if c.encoding == "" {
				header = nil
			}
			t.Run(fmt.Sprintf("%s, type %q, encoding %q", name, c.contentType, c.encoding), func(t *testing.T) {
				_, body := functiontest.Post(t, urls[name], c.contentType, "x", header)
				if got := strings.Contains(body, `"isBase64Encoded":true`); got != want {
					t.Errorf("got base64 %v, want %v", got, want)
				}
			})
		}
	}
}

func TestHTTPResponses(t *testing.T) {
	urls := map[string]string{
		"function URL": startEcho(t, FunctionURL), "HTTP API": startEcho(t, HTTPAPI), "REST API": startEcho(t, RESTAPI),
		"ALB": startEcho(t, ALB), "ALB with multi-value headers": startEcho(t, ALBMultiValue),
	}
	const failed = `{"message":"Internal Server Error"}` + "\n"
	for _, c := range []struct {
		trigger, response string
		status            int
		body              string
	}{
		{"function URL", `{"statusCode":201,"body":"a"}`, 201, "a"},
		{"function URL", `{"statusCode":200,"body":"/w==","isBase64Encoded":true}`, 200, "\xff"},
		{"function URL", `{"alerts":1}`, 200, `{"alerts":1}`},
		{"function URL", `"text"`, 200, `"text"`},
		{"function URL", `{"statusCode":"200"}`, 502, failed},
		{"function URL", `{"statusCode":200,"headers":{"a":["b"]}}`, 502, failed},
		{"function URL", `{"statusCode":99}`, 502, failed},
		{"function URL", `{"statusCode":200,"body":"*","isBase64Encoded":true}`, 502, failed},
		{"function URL", `fail`, 502, failed},
		{"HTTP API", `{"statusCode":200,"body":{}}`, 500, failed},
		{"HTTP API", `fail`, 500, failed},
		{"REST API", `{"statusCode":200,"body":"/w==","isBase64Encoded":true}`, 200, "\xff"},
		{"REST API", `{"alerts":1}`, 502, failed},
		{"REST API", `{"statusCode":200,"cookies":["a=1"]}`, 502, failed},
		{"REST API", `{}`, 502, failed},
		{"ALB", `{"statusCode":200,"statusDescription":"200 OK","body":"a"}`, 200, "a"},
		{"ALB", `{"statusCode":200,"body":"a"}`, 502, failed},
		{"ALB", `{"statusCode":200,"statusDescription":"201 Created"}`, 502, failed},
		{"ALB with multi-value headers", `fail`, 502, failed},
	} {
		t.Run(c.trigger+" "+c.response, func(t *testing.T) {
			res, body := functiontest.Post(t, urls[c.trigger]+"/", "text/plain", c.response, nil)
			if res.StatusCode != c.status || body != c.body {
				t.Errorf("got %s, body %.80q; want %d, %q", res.Status, body, c.status, c.body)
			}
		})
	}
}

func TestHTTPResponseHeaders(t *testing.T) {
	for name, c := range map[string]struct {
		trigger    HTTPTrigger
		response   string
		x, cookies []string // header values
	}{
		"payload format 2.0": {FunctionURL, `{"statusCode":200,"headers":{"x":"1, 2"},"multiValueHeaders":{"x":["no"]},"cookies":["a=1","b=2"]}`,
			[]string{"1, 2"}, []string{"a=1", "b=2"}},
		"payload format 1.0": {RESTAPI, `{"statusCode":200,"headers":{"X":"no","Set-Cookie":"a=1"},"multiValueHeaders":{"x":["1","2"]}}`,
			[]string{"1", "2"}, []string{"a=1"}},
		"ALB": {ALB, `{"statusCode":200,"statusDescription":"200 OK","headers":{"x":"1","Set-Cookie":"a=1"},"multiValueHeaders":{"x":["no"]}}`,
			[]string{"1"}, []string{"a=1"}},
		"ALB with multi-value headers": {ALBMultiValue, `{"statusCode":200,"statusDescription":"200 OK","headers":{"x":"no"},"multiValueHeaders":{"x":["1","2"],"Set-Cookie":["a=1","b=2"]}}`,
			[]string{"1", "2"}, []string{"a=1", "b=2"}},
	} {
		t.Run(name, func(t *testing.T) {
			res, body := functiontest.Post(t, startEcho(t, c.trigger)+"/", "text/plain", c.response, nil)
			if got := res.Header.Values("X"); !reflect.DeepEqual(got, c.x) {
				t.Errorf("X: got %q, want %q (%s %s)", got, c.x, res.Status, body)
			}
			if got := res.Header.Values("Set-Cookie"); !reflect.DeepEqual(got, c.cookies) {
				t.Errorf("Set-Cookie: got %q, want %q", got, c.cookies)
			}
		})
	}
}

func TestTriggerErrors(t *testing.T) {
	for name, c := range map[string]struct {
		trigger HTTPTrigger
		path    string
		size    int
		status  int
	}{
		"largest body for a load balancer":   {ALB, "/event", 1 << 20, 502}, // its event is too large as a response
		"body too large for a load balancer": {ALB, "/event", 1<<20 + 1, 413},
		"body too large":                     {FunctionURL, "/", 6<<20 + 1, 413},
		"event too large":                    {FunctionURL, "/", 6<<20 - 10, 413},
		"path outside of the stage":          {HTTPAPI, "/../production/x", 0, 404},
	} {
		t.Run(name, func(t *testing.T) {
			url, path := startEcho(t, c.trigger), c.path
			if rest, ok := strings.CutPrefix(path, "/.."); ok {
				url, path = strings.TrimSuffix(url, "/"+Stage), rest
			}
			if res, body := functiontest.Post(t, url+path, "text/plain", strings.Repeat("x", c.size), nil); res.StatusCode != c.status {
				t.Errorf("got %s, body %.80s; want %d", res.Status, body, c.status)
			}
		})
	}
}
