package scf

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
)

// mirror is a function that answers with what its request's body says, and the
// path /event with the event itself as the body.
func mirror(event json.RawMessage) (json.RawMessage, error) {
	var e struct {
		Path, Body      string
		IsBase64Encoded bool
	}
	if err := json.Unmarshal(event, &e); err != nil {
		return nil, err
	}
	if strings.HasPrefix(e.Path, "/event") {
		text, err := json.Marshal(string(event))
		return json.RawMessage(`{"statusCode":200,"body":` + string(text) + `}`), err
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
	o := options(t)
	o.Name = "mirror"
	g, err := StartGo1(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	return g.Serve(front)
}

func send(t *testing.T, url, contentType, body string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "POST", url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", contentType)
	r.Header.Set("X-Scf-Remote-Addr", "6.6.6.6")
	r.Host = "hooks.example.com"
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

func TestEvents(t *testing.T) {
	for name, c := range map[string]struct {
		front             HTTPTrigger
		contentType, body string
		want              string
	}{
		"function url": {FunctionURL, "application/json", "{}", `{
			"httpMethod":"POST", "path":"/event/a%2Fb", "queryString":{"a":"1","b":["2","3 &"],"bare":true,"empty":""}, "body":"{}",
			"isBase64Encoded":null, "requestContext":null}`},
		"api gateway": {APIGateway, "application/json", "{}", `{
			"httpMethod":"POST", "path":"/event/a%2Fb", "queryString":{"a":"1","b":["2","3 &"],"bare":true,"empty":""}, "body":"{}", "isBase64Encoded":false}`},
		"api gateway, binary": {APIGateway, "application/octet-stream", "\xff", `{"body":"/w==", "isBase64Encoded":true}`},
	} {
		t.Run(name, func(t *testing.T) {
			res, body := send(t, startMirror(t, c.front)+"/event/a%2Fb?a=1&b=2&b=3+%26&bare&empty=", c.contentType, c.body)
			var event, want map[string]any
			if err := json.Unmarshal([]byte(body), &event); err != nil {
				t.Fatalf("%s %s: %v", res.Status, body, err)
			}
			if err := json.Unmarshal([]byte(c.want), &want); err != nil {
				t.Fatal(err)
			}
			for key, v := range want {
				if !reflect.DeepEqual(event[key], v) {
					t.Errorf("%s is %v, want %v", key, event[key], v)
				}
			}
			header, _ := event["headers"].(map[string]any)
			if header["host"] != "hooks.example.com" || header["content-type"] != c.contentType {
				t.Errorf("headers %v", header)
			}
			// What the client says its address is reaches the function nowhere.
			client := header["x-scf-remote-addr"]
			if c.front == APIGateway {
				context, _ := event["requestContext"].(map[string]any)
				client = context["sourceIp"]
			}
			if client != "127.0.0.1" || strings.Contains(body, "6.6.6.6") {
				t.Errorf("client is %v in %s", client, body)
			}
		})
	}
}

func TestAnswers(t *testing.T) {
	urls := map[string]string{"url": startMirror(t, FunctionURL), "apigw": startMirror(t, APIGateway)}
	const failed = "the function failed\n"
	for _, c := range []struct {
		front, answer string
		status        int
		body          string
		x             []string
	}{
		{"url", `{"statusCode":201,"headers":{"x":"1, 2"},"body":"a"}`, 201, "a", []string{"1, 2"}},
		{"url", `{"statusCode":200,"headers":{"x":["1","2"]},"body":"/w==","isBase64Encoded":true}`, 200, "\xff", []string{"1", "2"}},
		{"url", `{"alerts":1}`, 200, `{"alerts":1}`, nil},
		{"url", `[1]`, 200, `[1]`, nil},
		{"url", `{"statusCode":"200"}`, 502, failed, nil},
		{"url", `{"statusCode":200,"headers":{"x":1}}`, 502, failed, nil},
		{"url", `{"statusCode":200,"body":"*","isBase64Encoded":true}`, 502, failed, nil},
		{"url", `{"statusCode":1000}`, 502, failed, nil},
		{"url", `fail`, 502, failed, nil},
		{"apigw", `{"statusCode":201,"headers":{"x":["1","2"]},"body":"a"}`, 201, "a", []string{"1", "2"}},
		{"apigw", `{"alerts":1}`, 502, failed, nil},
	} {
		res, body := send(t, urls[c.front]+"/", "text/plain", c.answer)
		if res.StatusCode != c.status || body != c.body || !reflect.DeepEqual(res.Header.Values("X"), c.x) {
			t.Errorf("%s: %s becomes %s %q with %q", c.front, c.answer, res.Status, body, res.Header.Values("X"))
		}
	}
	for _, size := range []int{6<<20 + 1, 6<<20 - 10} { // the body, and the event around it
		if res, _ := send(t, urls["url"]+"/", "text/plain", strings.Repeat("x", size)); res.StatusCode != 413 {
			t.Errorf("%d bytes: %s", size, res.Status)
		}
	}
}

// TestFrontOfCustom: the other runtime has the same fronts.
func TestFrontOfCustom(t *testing.T) {
	c := startCustom(t)
	res, body := send(t, c.Serve(FunctionURL)+"/", "text/plain", "")
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != "application/json" || !strings.Contains(body, `"own":"mine"`) {
		t.Errorf("%s %s", res.Status, body)
	}
}
