package lambda

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// eventV1 is an event of a REST API.
func (f *Function) eventV1(r *http.Request, body []byte) any {
	path, _ := cutStage(r.URL.EscapedPath())
	query := nilIfEmpty(r.URL.Query())
	e := map[string]any{
		"resource":                        "/{proxy+}",
		"path":                            path,
		"httpMethod":                      r.Method,
		"headers":                         lastValues(r.Header),
		"multiValueHeaders":               r.Header,
		"queryStringParameters":           nil,
		"multiValueQueryStringParameters": query,
		"pathParameters":                  map[string]string{"proxy": strings.TrimPrefix(path, "/")},
		"stageVariables":                  nil,
		"requestContext": map[string]any{
			"accountId":    "123456789012",
			"apiId":        "abcdefg",
			"domainName":   "abcdefg.execute-api.us-east-1.amazonaws.com",
			"domainPrefix": "abcdefg",
			"httpMethod":   r.Method,
			"identity":     map[string]any{"sourceIp": clientIP(r), "userAgent": r.UserAgent(), "user": nil},
			"path":         r.URL.EscapedPath(),
			"protocol":     "HTTP/1.1",
			"requestId":    "0f1d2c3b",
			"resourcePath": "/{proxy+}",
			"stage":        Stage,
		},
		"body":            nil,
		"isBase64Encoded": false,
	}
	if query != nil {
		e["queryStringParameters"] = lastValues(query)
	}
	if len(body) > 0 {
		e["body"], e["isBase64Encoded"] = base64.StdEncoding.EncodeToString(body), true
	}
	return e
}

// responseV1 reads an answer. A REST API takes no key that it does not know.
func parseV1(answer []byte) (*response, error) {
	var a struct {
		StatusCode        int                 `json:"statusCode"`
		Headers           map[string]string   `json:"headers"`
		MultiValueHeaders map[string][]string `json:"multiValueHeaders"`
		Body              string              `json:"body"`
		IsBase64Encoded   bool                `json:"isBase64Encoded"`
	}
	d := json.NewDecoder(bytes.NewReader(answer))
	d.DisallowUnknownFields()
	if err := d.Decode(&a); err != nil {
		return nil, fmt.Errorf("%w: %w", errResponse, err)
	}
	h := http.Header{}
	for name, v := range a.Headers {
		h.Set(name, v)
	}
	for name, values := range a.MultiValueHeaders { // which win
		h.Del(name)
		for _, v := range values {
			h.Add(name, v)
		}
	}
	if h.Get("Content-Type") == "" {
		h.Set("Content-Type", "application/json")
	}
	body, err := decodeBody(a.Body, a.IsBase64Encoded)
	return &response{a.StatusCode, h, body}, err
}
