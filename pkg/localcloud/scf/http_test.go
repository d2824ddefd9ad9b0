package scf

import (
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"tocsin/pkg/localcloud/functiontest"
)

func startEcho(t *testing.T, trigger HTTPTrigger) string {
	t.Helper()
	o := testOptions(t)
	o.Name = "echo"
	g, err := StartGo1(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	return g.Serve(trigger)
}

func TestHTTPEvents(t *testing.T) {
	forgedAddress := http.Header{"X-Scf-Remote-Addr": {"6.6.6.6"}}
	for name, c := range map[string]struct {
		trigger           HTTPTrigger
		contentType, body string
		want              string
	}{
		"function URL": {FunctionURL, "application/json", "{}", `{
			"httpMethod":"POST", "path":"/event/a%2Fb", "queryString":{"a":"1","b":["2","3 &"],"bare":true,"empty":""}, "body":"{}",
			"isBase64Encoded":null, "requestContext":null}`},
		"API gateway": {APIGateway, "application/json", "{}", `{
			"httpMethod":"POST", "path":"/event/a%2Fb", "queryString":{"a":"1","b":["2","3 &"],"bare":true,"empty":""}, "body":"{}", "isBase64Encoded":false}`},
		"API gateway, binary body": {APIGateway, "application/octet-stream", "\xff", `{"body":"/w==", "isBase64Encoded":true}`},
	} {
		t.Run(name, func(t *testing.T) {
			res, body := functiontest.Post(t, startEcho(t, c.trigger)+"/event/a%2Fb?a=1&b=2&b=3+%26&bare&empty=", c.contentType, c.body, forgedAddress)
			var event, want map[string]any
			if err := json.Unmarshal([]byte(body), &event); err != nil {
				t.Fatalf("got %s, body %s, error %v; want the event", res.Status, body, err)
			}
			if err := json.Unmarshal([]byte(c.want), &want); err != nil {
				t.Fatal(err)
			}
			for key, v := range want {
				if !reflect.DeepEqual(event[key], v) {
					t.Errorf("%s: got %v, want %v", key, event[key], v)
				}
			}
			header, _ := event["headers"].(map[string]any)
			if header["host"] != "api.example.com" || header["content-type"] != c.contentType {
				t.Errorf("headers: got %v, want the host and content type %s", header, c.contentType)
			}
			// The client must not be able to set its own address.
			client := header["x-scf-remote-addr"]
			if c.trigger == APIGateway {
				context, _ := event["requestContext"].(map[string]any)
				client = context["sourceIp"]
			}
			if client != "127.0.0.1" || strings.Contains(body, "6.6.6.6") {
				t.Errorf("client address: got %v in %s, want 127.0.0.1", client, body)
			}
		})
	}
}

func TestHTTPResponses(t *testing.T) {
	urls := map[string]string{"function URL": startEcho(t, FunctionURL), "API gateway": startEcho(t, APIGateway)}
	const failed = "the function failed\n"
	for _, c := range []struct {
		trigger, response string
		status            int
		body              string
		x                 []string // header X
	}{
		{"function URL", `{"statusCode":201,"headers":{"x":"1, 2"},"body":"a"}`, 201, "a", []string{"1, 2"}},
		{"function URL", `{"statusCode":200,"headers":{"x":["1","2"]},"body":"/w==","isBase64Encoded":true}`, 200, "\xff", []string{"1", "2"}},
		{"function URL", `{"alerts":1}`, 200, `{"alerts":1}`, nil},
		{"function URL", `[1]`, 200, `[1]`, nil},
		{"function URL", `{"statusCode":"200"}`, 502, failed, nil},
		{"function URL", `{"statusCode":200,"headers":{"x":1}}`, 502, failed, nil},
		{"function URL", `{"statusCode":200,"body":"*","isBase64Encoded":true}`, 502, failed, nil},
		{"function URL", `{"statusCode":1000}`, 502, failed, nil},
		{"function URL", `fail`, 502, failed, nil},
		{"API gateway", `{"statusCode":201,"headers":{"x":["1","2"]},"body":"a"}`, 201, "a", []string{"1", "2"}},
		{"API gateway", `{"alerts":1}`, 502, failed, nil},
	} {
		t.Run(c.trigger+" "+c.response, func(t *testing.T) {
			res, body := functiontest.Post(t, urls[c.trigger]+"/", "text/plain", c.response, nil)
			if res.StatusCode != c.status || body != c.body || !reflect.DeepEqual(res.Header.Values("X"), c.x) {
				t.Errorf("got %s, body %q, X %q; want %d, %q, %q", res.Status, body, res.Header.Values("X"), c.status, c.body, c.x)
			}
		})
	}
	for name, size := range map[string]int{"body too large": 6<<20 + 1, "event too large": 6<<20 - 10} {
		t.Run(name, func(t *testing.T) {
			if res, _ := functiontest.Post(t, urls["function URL"]+"/", "text/plain", strings.Repeat("x", size), nil); res.StatusCode != 413 {
				t.Errorf("got %s, want 413", res.Status)
			}
		})
	}
}

func TestHTTPTriggerOfCustomRuntime(t *testing.T) {
	c := startCustom(t)
	res, body := functiontest.Post(t, c.Serve(FunctionURL)+"/", "text/plain", "", nil)
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != "application/json" || !strings.Contains(body, `"own":"mine"`) {
		t.Errorf("got %s, body %s; want 200 and the function's environment", res.Status, body)
	}
}
