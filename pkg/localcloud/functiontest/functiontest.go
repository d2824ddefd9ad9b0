// Package functiontest has what the tests of the emulated platforms share: a function
// that echoes HTTP requests, and a client. Only tests import it.
package functiontest

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"os"
	"strings"
	"testing"
)

// Echo handles the event of an HTTP request. The response of the function is the body of
// the request. For a path with /event, the body of the response is the event. The body
// "fail" is an error.
func Echo(event json.RawMessage) (json.RawMessage, error) {
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
		return nil, errors.New("secret error text")
	}
	return body, nil
}

// Binary returns the path of the test binary, which runs as the function.
func Binary(t *testing.T) string {
	t.Helper()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return binary
}

// Post sends a request with the host name api.example.com, and returns the response and
// its body. Without a content type the header is missing.
func Post(t *testing.T, url, contentType, body string, header http.Header) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(r.Header, header)
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
