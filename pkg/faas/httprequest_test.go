package faas

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"net/url"
	"reflect"
	"strings"
	"testing"
)

// wantRequest is the request that a handler should get.
type wantRequest struct {
	format       httpFormat
	method, uri  string // uri is URL.RequestURI
	path         string
	query        map[string][]string
	host, remote string
	header       http.Header // the compared ones
	body         string
}

var requestSamples = map[string]wantRequest{
	"scf-url": {
		format: formatSCF, method: "POST", path: "/hooks/generic/a/b",
		uri:   "/hooks/generic/a%2Fb?a=1&b=2&label=team%3Ax+y",
		query: map[string][]string{"a": {"1"}, "b": {"2"}, "label": {"team:x y"}},
		host:  "1250000000-abcdefghij.ap-guangzhou.tencentscf.com", remote: "111.206.96.145:0",
		header: http.Header{"Content-Type": {"application/json"}, "Accept-Encoding": {"gzip, deflate, br"}, "Host": nil},
		body:   `{"test":"hello world"}`,
	},
	"scf-apigw": {
		format: formatSCF, method: "POST", path: "/test/value",
		uri:   "/test/value?bare=&bob=alice&bob=b%3Dc%26d&foo=bar",
		query: map[string][]string{"foo": {"bar"}, "bob": {"alice", "b=c&d"}, "bare": {""}},
		host:  "service-3ei3tii4-251000691.ap-guangzhou.apigateway.myqloud.com", remote: "10.0.2.14:0",
		header: http.Header{"Accept-Language": {"en-US,en,cn"}, "User-Agent": {"User Agent String"}},
		body:   `{"test":"body"}`,
	},
	"lambda-url": {
		format: formatLambdaV2, method: "PUT", path: "/my/path/with/中",
		uri:   "/my/path%2Fwith/%E4%B8%AD?parameter1=value1&parameter1=value2&parameter2=a+b%20c%2B&flag",
		query: map[string][]string{"parameter1": {"value1", "value2"}, "parameter2": {"a b c+"}, "flag": {""}},
		host:  "abcdefg.lambda-url.us-west-2.on.aws", remote: "123.123.123.123:0",
		header: http.Header{"Cookie": {"cookie1=value1; cookie2=value2"}, "Header2": {"value1,value2"}, "Authorization": {`Digest username="u", realm="r"`}},
		body:   "\x00\x01\x02\x03\x04\xff",
	},
	"lambda-httpapi": { // without the stage
		format: formatLambdaV2, method: "GET", path: "/agents/web 1",
		uri: "/agents/web%201", query: map[string][]string{},
		host: "r3pmxmplak.execute-api.us-east-2.amazonaws.com", remote: "[2001:db8::1]:0",
		header: http.Header{"User-Agent": {"curl/7.58.0"}, "Cookie": nil},
	},
	"lambda-restapi": {
		format: formatLambdaV1, method: "POST", path: "/hello/wor/ld",
		uri:   "/hello/wor%2Fld?empty=&name=me+%26+us&name=you",
		query: map[string][]string{"name": {"me & us", "you"}, "empty": {""}},
		host:  "gy415nuibc.execute-api.us-east-1.amazonaws.com", remote: "192.168.196.186:0",
		header: http.Header{"Headername": {"first, with a comma", "second"}, "Cookie": {"a=1; b=2; c=3"}},
		body:   "{\r\n\t\"a\": 1\r\n}",
	},
	"alb": {
		format: formatALB, method: "GET", path: "/lambda x",
		uri:   "/lambda%20x?k%5B%5D=%E4%B8%AD&query=1234%20AB+CD%2B",
		query: map[string][]string{"query": {"1234 AB CD+"}, "k[]": {"中"}},
		host:  "lambda-alb-123578498.us-east-2.elb.amazonaws.com", remote: "72.12.164.125:0",
		header: http.Header{"Cookie": {"a=1; b=2"}, "Accept": {"text/html,application/xhtml+xml"}},
	},
	"alb-multi": {
		format: formatALBMultiValue, method: "POST", path: "/",
		uri:   "/?flag=&key=a%26b&key=c,d",
		query: map[string][]string{"key": {"a&b", "c,d"}, "flag": {""}},
		host:  "lambda-test-alb-1234567.us-east-1.elb.amazonaws.com", remote: "[2001:db8::2]:4711",
		header: http.Header{"Cookie": {"a=1; b=2"}, "Accept": {"text/plain", "*/*"}},
		body:   "payload=1",
	},
}

func TestParseHTTP(t *testing.T) {
	for name, want := range requestSamples {
		t.Run(name, func(t *testing.T) {
			r, format, err := parseHTTP(readSample(t, name))
			if err != nil {
				t.Fatal(err)
			}
			if format != want.format || r.Method != want.method || r.Host != want.host || r.RemoteAddr != want.remote {
				t.Errorf("got format %d, %s, host %q, remote %q; want %+v", format, r.Method, r.Host, r.RemoteAddr, want)
			}
			if r.URL.Path != want.path || r.URL.RequestURI() != want.uri || r.RequestURI != want.uri {
				t.Errorf("got path %q, URI %q and %q; want %q, %q", r.URL.Path, r.RequestURI, r.URL.RequestURI(), want.path, want.uri)
			}
			if got := r.URL.Query(); !reflect.DeepEqual(map[string][]string(got), want.query) {
				t.Errorf("query: got %q, want %q", got, want.query)
			}
			for h, values := range want.header {
				if got := r.Header[h]; !reflect.DeepEqual(got, values) {
					t.Errorf("header %s: got %q, want %q", h, got, values)
				}
			}
			body, err := io.ReadAll(r.Body)
			if err != nil || string(body) != want.body || r.ContentLength != int64(len(want.body)) {
				t.Errorf("body: got %q, length %d, error %v; want %q", body, r.ContentLength, err, want.body)
			}
			if got, wantNoBody := r.Body == http.NoBody, want.body == ""; got != wantNoBody {
				t.Errorf("got http.NoBody: %v, want %v", got, wantNoBody)
			}
		})
	}
}

// TestParsePath parses escaped and unescaped paths, as different platforms send
// them.
func TestParsePath(t *testing.T) {
	for _, c := range []struct{ event, path, escaped string }{
		{"/a/b", "/a/b", "/a/b"},
		{"/a%20b", "/a b", "/a%20b"},
		{"/a b", "/a b", "/a%20b"},
		{"/%E4%B8%AD", "/中", "/%E4%B8%AD"},
		{"/中", "/中", "/%E4%B8%AD"},
		{"/a%2Fb", "/a/b", "/a%2Fb"},
		{"/a%2fb", "/a/b", "/a%2fb"},
		{"/a!b:c@d+e", "/a!b:c@d+e", "/a!b:c@d+e"},
		{"/50%", "/50%", "/50%25"},
		{"/what?", "/what?", "/what%3F"},
		{"/中%2F", "/中%2F", "/%E4%B8%AD%252F"}, // unescaped, so %2F is literal
		{"//double", "//double", "//double"},
	} {
		t.Run(c.event, func(t *testing.T) {
			u := parsePath(c.event)
			if u.Path != c.path || u.EscapedPath() != c.escaped {
				t.Errorf("got %q, escaped %q; want %q, %q", u.Path, u.EscapedPath(), c.path, c.escaped)
			}
			if c.event != c.escaped {
				return
			}
			if want, err := url.ParseRequestURI(c.event); err != nil || *u != *want {
				t.Errorf("got %#v, want %#v as in net/http (error %v)", u, want, err)
			}
		})
	}
}

func TestStageIsRemoved(t *testing.T) {
	const (
		v2 = `{"version":"2.0","rawPath":%q,"requestContext":{"http":{"method":"GET"},"stage":%q}}`
		v1 = `{"version":"1.0","resource":"/","httpMethod":"GET","path":%q,"requestContext":{"stage":%q}}`
		v0 = `{"resource":"/","httpMethod":"GET","path":%q,"requestContext":{"stage":%q}}`
	)
	for _, c := range []struct{ event, path, stage, want string }{
		{v2, "/prod/hooks", "prod", "/hooks"},
		{v2, "/prod/", "prod", "/"},
		{v2, "/prod", "prod", "/"},
		{v2, "/prod/prod/x", "prod", "/prod/x"},
		{v2, "/production/x", "prod", "/production/x"},
		{v2, "/hooks", "prod", "/hooks"},
		{v2, "/$default/x", "$default", "/$default/x"},
		{v2, "/hooks", "", "/hooks"},
		{v1, "/prod/hooks", "prod", "/hooks"},      // HTTP API
		{v0, "/prod/hooks", "prod", "/prod/hooks"}, // REST API
	} {
		event := fmt.Sprintf(c.event, c.path, c.stage)
		t.Run(event, func(t *testing.T) {
			r, _, err := parseHTTP([]byte(event))
			if err != nil {
				t.Fatal(err)
			}
			if got := r.URL.Path; got != c.want {
				t.Errorf("got path %s, want %s", got, c.want)
			}
		})
	}
}

func TestParseHTTPWithMissingFields(t *testing.T) {
	for _, c := range []struct{ name, event, want string }{
		{"null values", `{"httpMethod":"GET","path":"/x","resource":"/","headers":null,"multiValueHeaders":null,"queryStringParameters":null,"body":null,"requestContext":{"identity":null}}`,
			"GET /x from  at  with map[]"},
		{"single values only", `{"httpMethod":"GET","path":"/x","resource":"/","headers":{"a":"1, 2"},"queryStringParameters":{"q":"a b"},"requestContext":{"domainName":"api.example.com"}}`,
			"GET /x?q=a+b from  at api.example.com with map[A:[1, 2]]"},
		{"health check of a load balancer", `{"httpMethod":"GET","path":"/-/healthy","headers":{"user-agent":"ELB-HealthChecker/2.0"},"queryStringParameters":{},"requestContext":{"elb":{}},"body":""}`,
			"GET /-/healthy from  at  with map[User-Agent:[ELB-HealthChecker/2.0]]"},
		{"SCF with a port in the client address", `{"httpMethod":"GET","path":"/","headers":{"X-Scf-Remote-Addr":"[2001:db8::1]:80"}}`,
			"GET / from [2001:db8::1]:80 at  with map[X-Scf-Remote-Addr:[[2001:db8::1]:80]]"},
		{"invalid client address", `{"httpMethod":"GET","path":"/","resource":"/","requestContext":{"identity":{"sourceIp":"test-invoke-source-ip"}}}`,
			"GET / from  at  with map[]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, _, err := parseHTTP([]byte(c.event))
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprintf("%s %s from %s at %s with %v", r.Method, r.RequestURI, r.RemoteAddr, r.Host, r.Header); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestParseHTTPErrors(t *testing.T) {
	const hint = ": call this function through a function URL, an API gateway or a load balancer"
	for _, c := range []struct{ name, event, want string }{
		{"SCF timer", string(readSample(t, "scf-timer")), "the event is a timer's (scf.timer), and this function takes HTTP requests: remove its timer trigger"},
		{"EventBridge rule", string(readSample(t, "aws-rule")), "the event is a timer's (aws.events), and this function takes HTTP requests: remove its timer trigger"},
		{"EventBridge Scheduler", string(readSample(t, "aws-scheduler")), "the event is a timer's (aws.scheduler), and this function takes HTTP requests: remove its timer trigger"},
		{"another AWS event", string(readSample(t, "unknown-aws-event")),
			`the event is not an HTTP request's, its keys are "account", "detail", "detail-type", "id", "region", "resources", "source", "time", "version"` + hint},
		{"authorizer", string(readSample(t, "unknown-authorizer")),
			`the event is not an HTTP request's, its keys are "headers", "httpMethod", "methodArn", "path", "queryStringParameters", "requestContext", "resource", "type"` + hint},
		{"authorizer, format 2.0", string(readSample(t, "unknown-authorizer-v2")),
			`the event is not an HTTP request's, its keys are "headers", "rawPath", "rawQueryString", "requestContext", "routeArn", "routeKey", "type", "version"` + hint},
		{"websocket", string(readSample(t, "unknown-websocket")),
			`the event is not an HTTP request's, its keys are "headers", "isBase64Encoded", "multiValueHeaders", "requestContext"` + hint},
		{"VPC Lattice", string(readSample(t, "unknown-lattice")),
			`the event is not an HTTP request's, its keys are "body", "headers", "method", "path", "queryStringParameters", "requestContext", "version"` + hint},
		{"key of the wrong type", `{"httpMethod":"GET","path":"/","headers":{"a":1}}`, `the event is not an HTTP request's, its keys are "headers", "httpMethod", "path"` + hint},
		{"no method", `{"version":"2.0","rawPath":"/","requestContext":{"http":{}}}`, "the event has no HTTP method"},
		{"invalid method", `{"httpMethod":"GET /\r\n","path":"/","headers":{}}`, "the event has no HTTP method"},
		{"no path", `{"version":"2.0","requestContext":{"http":{"method":"GET"}}}`, "the event has no path that begins with a slash"},
		{"path without a slash", `{"httpMethod":"GET","path":"hooks","headers":{}}`, "the event has no path that begins with a slash"},
		{"invalid base64 body", `{"httpMethod":"GET","path":"/","headers":{},"body":"{}","isBase64Encoded":true}`, "decode the body of the event: illegal base64 data at input byte 0"},
		{"empty object", `{}`, "the event is empty, not an HTTP request's" + hint},
		{"null", `null`, "the event is empty, not an HTTP request's" + hint},
		{"list", `["hush"]`, "the event is not a JSON object" + hint},
		{"empty event", ``, "the event is not a JSON object" + hint},
		{"too large", strings.Repeat(" ", 6291457), "the event has 6291457 bytes: an HTTP request's has at most 6291456"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if r, _, err := parseHTTP([]byte(c.event)); r != nil || err == nil || err.Error() != c.want {
				t.Errorf("got error\n%v\nwant\n%s", err, c.want)
			}
		})
	}
}

func FuzzParseHTTP(f *testing.F) {
	addSamples(f)
	f.Fuzz(func(t *testing.T, event []byte) {
		r, format, err := parseHTTP(event)
		if err != nil {
			if r != nil {
				t.Errorf("got a request with error %v, want none", err)
			}
			checkErrorText(t, err)
			return
		}
		// Method and path must come from the event, never from a default.
		var e struct {
			HTTPMethod, Path, RawPath string
			RequestContext            struct{ HTTP struct{ Method string } }
		}
		if err := json.Unmarshal(event, &e); err != nil {
			t.Fatalf("got a request from %s, want an error: %v", event, err)
		}
		method, path := e.HTTPMethod, e.Path
		if format == formatLambdaV2 {
			method, path = e.RequestContext.HTTP.Method, e.RawPath
		}
		if r.Method != method || method == "" || path == "" || !strings.HasPrefix(r.URL.Path, "/") {
			t.Errorf("got %s %s, want %s %s", r.Method, r.URL.Path, method, path)
		}
		if b, err := io.ReadAll(r.Body); err != nil || int64(len(b)) != r.ContentLength {
			t.Errorf("body: got %d bytes, error %v; want %d", len(b), err, r.ContentLength)
		}
		for name := range r.Header {
			if want := textproto.CanonicalMIMEHeaderKey(name); name != want {
				t.Errorf("header: got %q, want %q", name, want)
			}
		}
		if strings.ContainsAny(r.URL.EscapedPath(), " ?#\r\n") || !strings.HasPrefix(r.RequestURI, "/") {
			t.Errorf("got URI %q, want a valid one", r.RequestURI)
		}
	})
}
