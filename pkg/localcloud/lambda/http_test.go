package lambda

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"reflect"
	"strings"
	"testing"
)

// mirror is a function that answers with what its request's body says, and the
// path /event with the event itself as the body.
func mirror(event json.RawMessage) (json.RawMessage, error) {
	var e struct {
		Path, RawPath, Body string
		IsBase64Encoded     bool
		RequestContext      struct{ ELB *struct{} }
	}
	if err := json.Unmarshal(event, &e); err != nil {
		return nil, err
	}
	if strings.Contains(e.Path+e.RawPath, "/event") {
		text, err := json.Marshal(string(event))
		description := ""
		if e.RequestContext.ELB != nil {
			description = `,"statusDescription":"200 OK"`
		}
		return json.RawMessage(`{"statusCode":200` + description + `,"body":` + string(text) + `}`), err
	}
	body := []byte(e.Body)
	if e.IsBase64Encoded {
		body, _ = base64.StdEncoding.DecodeString(e.Body)
	}
	if string(body) == "fail" {
		return nil, errors.New("secret of the failure")
	}
	return body, nil
}

func startMirror(t *testing.T, front HTTPTrigger) string {
	t.Helper()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	f, err := Start(Options{Binary: binary, Name: "mirror", Env: map[string]string{"MIRROR": "1"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return f.Serve(front)
}

func send(t *testing.T, method, url, contentType, body string, header http.Header) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range header {
		r.Header[name] = values
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	r.Host = "api.example.com"
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(b)
}

// TestEvents: what each front writes of one request.
func TestEvents(t *testing.T) {
	const target = "/event%2Fs/%E4%B8%AD?k=1&k=2%26&flag"
	header := http.Header{
		"Cookie":          {"a=1; b=2"},
		"X-Many":          {"one, two", "three"},
		"X-Forwarded-For": {"6.6.6.6"},
	}
	for name, c := range map[string]struct {
		front HTTPTrigger
		want  string // of the event's keys
	}{
		"function url": {FunctionURL, `{
			"version":"2.0", "rawPath":"/event%2Fs/%E4%B8%AD", "rawQueryString":"k=1&k=2%26&flag",
			"cookies":["a=1","b=2"], "queryStringParameters":{"k":"1,2&","flag":""},
			"requestContext.http.method":"POST", "requestContext.http.sourceIp":"127.0.0.1", "requestContext.stage":"$default",
			"headers.host":"api.example.com", "headers.x-many":"one, two,three", "headers.cookie":null, "headers.x-forwarded-for":"6.6.6.6, 127.0.0.1",
			"body":"{}", "isBase64Encoded":false}`},
		"http api": {HTTPAPI, `{
			"version":"2.0", "rawPath":"/prod/event/s/中", "rawQueryString":"k=1&k=2%26&flag",
			"requestContext.stage":"prod", "requestContext.http.path":"/prod/event/s/中", "body":"{}"}`},
		"rest api": {RESTAPI, `{
			"version":null, "resource":"/{proxy+}", "path":"/event%2Fs/%E4%B8%AD", "httpMethod":"POST",
			"queryStringParameters":{"k":"2&","flag":""}, "multiValueQueryStringParameters":{"k":["1","2&"],"flag":[""]},
			"headers.X-Many":"three", "multiValueHeaders.X-Many":["one, two","three"], "headers.Host":"api.example.com",
			"requestContext.identity.sourceIp":"127.0.0.1", "requestContext.path":"/prod/event%2Fs/%E4%B8%AD", "requestContext.stage":"prod",
			"body":"e30=", "isBase64Encoded":true}`},
		"alb": {ALB, `{
			"path":"/event%2Fs/%E4%B8%AD", "httpMethod":"POST", "queryStringParameters":{"k":"2%26","flag":""}, "multiValueQueryStringParameters":null,
			"headers.x-many":"three", "headers.cookie":"a=1; b=2", "multiValueHeaders":null, "headers.x-forwarded-for":"6.6.6.6, 127.0.0.1",
			"requestContext":{"elb":{"targetGroupArn":"arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/mirror/abcdefg"}},
			"body":"{}", "isBase64Encoded":false}`},
		"alb multi-value": {ALBMultiValue, `{
			"queryStringParameters":null, "multiValueQueryStringParameters":{"k":["1","2%26"],"flag":[""]},
			"headers":null, "multiValueHeaders.x-many":["one, two","three"], "multiValueHeaders.host":["api.example.com"]}`},
	} {
		t.Run(name, func(t *testing.T) {
			res, body := send(t, "POST", startMirror(t, c.front)+target, "application/json; charset=utf-8", "{}", header)
			if res.StatusCode != 200 {
				t.Fatalf("%s %s", res.Status, body)
			}
			var event, want map[string]any
			if err := json.Unmarshal([]byte(body), &event); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal([]byte(c.want), &want); err != nil {
				t.Fatal(err)
			}
			for path, v := range want {
				if got := at(event, path); !reflect.DeepEqual(got, v) {
					t.Errorf("%s is %v, want %v", path, got, v)
				}
			}
		})
	}
}

// at is the value at a path of keys.
func at(event map[string]any, path string) any {
	var v any = event
	for key := range strings.SplitSeq(path, ".") {
		m, _ := v.(map[string]any)
		v = m[key]
	}
	return v
}

// TestBase64: which bodies are sent so.
func TestBase64(t *testing.T) {
	urls := map[string]string{"v2": startMirror(t, HTTPAPI) + "/event", "alb": startMirror(t, ALB) + "/event"}
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
			_, body := send(t, "POST", urls[name], c.contentType, "x", header)
			if got := strings.Contains(body, `"isBase64Encoded":true`); got != want {
				t.Errorf("%s of %q %q: base64 %v, want %v", name, c.contentType, c.encoding, got, want)
			}
		}
	}
}

// TestAnswers: what each front makes of an answer.
func TestAnswers(t *testing.T) {
	urls := map[string]string{
		"url": startMirror(t, FunctionURL), "http": startMirror(t, HTTPAPI), "rest": startMirror(t, RESTAPI),
		"alb": startMirror(t, ALB), "multi": startMirror(t, ALBMultiValue),
	}
	const failed = `{"message":"Internal Server Error"}` + "\n"
	for _, c := range []struct {
		front, answer string
		status        int
		body          string
	}{
		{"url", `{"statusCode":201,"body":"a"}`, 201, "a"},
		{"url", `{"statusCode":200,"body":"/w==","isBase64Encoded":true}`, 200, "\xff"},
		{"url", `{"alerts":1}`, 200, `{"alerts":1}`},
		{"url", `"text"`, 200, `"text"`},
		{"url", `{"statusCode":"200"}`, 502, failed},
		{"url", `{"statusCode":200,"headers":{"a":["b"]}}`, 502, failed},
		{"url", `{"statusCode":99}`, 502, failed},
		{"url", `{"statusCode":200,"body":"*","isBase64Encoded":true}`, 502, failed},
		{"url", `fail`, 502, failed},
		{"http", `{"statusCode":200,"body":{}}`, 500, failed},
		{"http", `fail`, 500, failed},
		{"rest", `{"statusCode":200,"body":"/w==","isBase64Encoded":true}`, 200, "\xff"},
		{"rest", `{"alerts":1}`, 502, failed},
		{"rest", `{"statusCode":200,"cookies":["a=1"]}`, 502, failed},
		{"rest", `{}`, 502, failed},
		{"alb", `{"statusCode":200,"statusDescription":"200 OK","body":"a"}`, 200, "a"},
		{"alb", `{"statusCode":200,"body":"a"}`, 502, failed},
		{"alb", `{"statusCode":200,"statusDescription":"201 Created"}`, 502, failed},
		{"multi", `fail`, 502, failed},
	} {
		res, body := send(t, "POST", urls[c.front]+"/", "text/plain", c.answer, nil)
		if res.StatusCode != c.status || body != c.body {
			t.Errorf("%s: %.80s becomes %s %.80q, want %d %q", c.front, c.answer, res.Status, body, c.status, c.body)
		}
	}
}

func TestAnswerHeaders(t *testing.T) {
	for name, c := range map[string]struct {
		front  HTTPTrigger
		answer string
		want   []string // values of X
		cookie []string
	}{
		"v2": {FunctionURL, `{"statusCode":200,"headers":{"x":"1, 2"},"multiValueHeaders":{"x":["no"]},"cookies":["a=1","b=2"]}`,
			[]string{"1, 2"}, []string{"a=1", "b=2"}},
		"v1": {RESTAPI, `{"statusCode":200,"headers":{"X":"no","Set-Cookie":"a=1"},"multiValueHeaders":{"x":["1","2"]}}`,
			[]string{"1", "2"}, []string{"a=1"}},
		"alb": {ALB, `{"statusCode":200,"statusDescription":"200 OK","headers":{"x":"1","Set-Cookie":"a=1"},"multiValueHeaders":{"x":["no"]}}`,
			[]string{"1"}, []string{"a=1"}},
		"alb multi-value": {ALBMultiValue, `{"statusCode":200,"statusDescription":"200 OK","headers":{"x":"no"},"multiValueHeaders":{"x":["1","2"],"Set-Cookie":["a=1","b=2"]}}`,
			[]string{"1", "2"}, []string{"a=1", "b=2"}},
	} {
		res, body := send(t, "POST", startMirror(t, c.front)+"/", "text/plain", c.answer, nil)
		if got := res.Header.Values("X"); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: X is %q, want %q (%s %s)", name, got, c.want, res.Status, body)
		}
		if got := res.Header.Values("Set-Cookie"); !reflect.DeepEqual(got, c.cookie) {
			t.Errorf("%s: cookies %q, want %q", name, got, c.cookie)
		}
	}
}

func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		front  HTTPTrigger
		path   string
		size   int
		status int
	}{
		"as large as a load balancer takes": {ALB, "/event", 1 << 20, 502}, // the mirror's answer is larger
		"too large for a load balancer":     {ALB, "/event", 1<<20 + 1, 413},
		"too large a body":                  {FunctionURL, "/", 6<<20 + 1, 413},
		"too large an event":                {FunctionURL, "/", 6<<20 - 10, 413},
		"outside of the stage":              {HTTPAPI, "/../production/x", 0, 404},
	} {
		url := startMirror(t, c.front)
		if strings.HasPrefix(c.path, "/../") {
			url, c.path = strings.TrimSuffix(url, "/"+Stage), c.path[3:]
		}
		if res, body := send(t, "POST", url+c.path, "text/plain", strings.Repeat("x", c.size), nil); res.StatusCode != c.status {
			t.Errorf("%s: %s %.80s", name, res.Status, body)
		}
	}
}
