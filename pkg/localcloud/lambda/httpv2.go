package lambda

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// eventV2 is an event of payload format 2.0.
func (f *Function) eventV2(r *http.Request, body []byte, front HTTPTrigger) any {
	header := lowerCaseNames(r.Header)
	var cookies []string
	for _, c := range header["cookie"] {
		cookies = append(cookies, strings.Split(c, "; ")...)
	}
	delete(header, "cookie")

	path, stage := r.URL.EscapedPath(), "$default"
	domain := "abcdefg.lambda-url.us-east-1.on.aws"
	if front == HTTPAPI {
		path, stage = r.URL.Path, Stage
		domain = "abcdefg.execute-api.us-east-1.amazonaws.com"
	}
	e := map[string]any{
		"version":        "2.0",
		"routeKey":       "$default",
		"rawPath":        path,
		"rawQueryString": r.URL.RawQuery,
		"headers":        joinValues(header),
		"requestContext": map[string]any{
			"accountId":    "123456789012",
			"apiId":        "abcdefg",
			"domainName":   domain,
			"domainPrefix": "abcdefg",
			"http": map[string]string{
				"method":    r.Method,
				"path":      path,
				"protocol":  "HTTP/1.1",
				"sourceIp":  clientIP(r),
				"userAgent": r.UserAgent(),
			},
			"requestId": "0f1d2c3b",
			"routeKey":  "$default",
			"stage":     stage,
		},
		"isBase64Encoded": false,
	}
	if len(cookies) > 0 {
		e["cookies"] = cookies
	}
	if q := r.URL.Query(); len(q) > 0 {
		e["queryStringParameters"] = joinValues(q)
	}
	switch {
	case len(body) == 0:
	case isTextType(r.Header.Get("Content-Type")):
		e["body"] = string(body)
	default:
		e["body"], e["isBase64Encoded"] = base64.StdEncoding.EncodeToString(body), true
	}
	return e
}

// responseV2 reads an answer. One without a status code is itself the body.
func parseV2(answer []byte) (*response, error) {
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(answer, &keys); json.Valid(answer) && (err != nil || keys["statusCode"] == nil) {
		return &response{http.StatusOK, http.Header{"Content-Type": {"application/json"}}, answer}, nil
	}
	var a struct {
		StatusCode      int               `json:"statusCode"`
		Headers         map[string]string `json:"headers"`
		Cookies         []string          `json:"cookies"`
		Body            string            `json:"body"`
		IsBase64Encoded bool              `json:"isBase64Encoded"`
	}
	if err := json.Unmarshal(answer, &a); err != nil {
		return nil, fmt.Errorf("%w: %w", errResponse, err)
	}
	h := http.Header{}
	for name, v := range a.Headers {
		h.Add(name, v)
	}
	for _, c := range a.Cookies {
		h.Add("Set-Cookie", c)
	}
	if h.Get("Content-Type") == "" {
		h.Set("Content-Type", "application/json")
	}
	body, err := decodeBody(a.Body, a.IsBase64Encoded)
	return &response{a.StatusCode, h, body}, err
}

func decodeBody(body string, isBase64 bool) ([]byte, error) {
	if !isBase64 {
		return []byte(body), nil
	}
	b, err := base64.StdEncoding.DecodeString(body)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errResponse, err)
	}
	return b, nil
}
