package lambda

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// eventV2 returns an event with payload format 2.0.
func (f *Function) eventV2(r *http.Request, body []byte, trigger HTTPTrigger) any {
	header := lowerCaseNames(r.Header)
	var cookies []string
	for _, c := range header["cookie"] {
		cookies = append(cookies, strings.Split(c, "; ")...)
	}
	delete(header, "cookie")

	path, stage := r.URL.EscapedPath(), "$default"
	domain := "abcdefg.lambda-url.us-east-1.on.aws"
	if trigger == HTTPAPI {
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

// parseV2 parses a response in payload format 2.0. Without a status code, the whole
// response is the body.
func parseV2(result []byte) (*response, error) {
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(result, &keys); json.Valid(result) && (err != nil || keys["statusCode"] == nil) {
		return &response{http.StatusOK, http.Header{"Content-Type": {"application/json"}}, result}, nil
	}
	var a struct {
		StatusCode      int               `json:"statusCode"`
		Headers         map[string]string `json:"headers"`
		Cookies         []string          `json:"cookies"`
		Body            string            `json:"body"`
		IsBase64Encoded bool              `json:"isBase64Encoded"`
	}
	if err := json.Unmarshal(result, &a); err != nil {
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

// eventV1 returns an event of a REST API.
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

// parseV1 parses a response for a REST API, which rejects unknown keys.
func parseV1(result []byte) (*response, error) {
	var a struct {
		StatusCode        int                 `json:"statusCode"`
		Headers           map[string]string   `json:"headers"`
		MultiValueHeaders map[string][]string `json:"multiValueHeaders"`
		Body              string              `json:"body"`
		IsBase64Encoded   bool                `json:"isBase64Encoded"`
	}
	d := json.NewDecoder(bytes.NewReader(result))
	d.DisallowUnknownFields()
	if err := d.Decode(&a); err != nil {
		return nil, fmt.Errorf("%w: %w", errResponse, err)
	}
	h := http.Header{}
	for name, v := range a.Headers {
		h.Set(name, v)
	}
	for name, values := range a.MultiValueHeaders { // which take precedence
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

// eventALB returns an event of a load balancer. Query parameters stay escaped.
// Without multi-value headers, only the last value of a name is kept (ELB,
// "Lambda functions as targets").
func (f *Function) eventALB(r *http.Request, body []byte, trigger HTTPTrigger) any {
	header := lowerCaseNames(r.Header)
	query := map[string][]string{}
	for pair := range strings.SplitSeq(r.URL.RawQuery, "&") {
		if name, value, _ := strings.Cut(pair, "="); name != "" {
			query[name] = append(query[name], value)
		}
	}
	e := map[string]any{
		"requestContext": map[string]any{
			"elb": map[string]string{"targetGroupArn": "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/" + f.Name + "/abcdefg"},
		},
		"httpMethod":      r.Method,
		"path":            r.URL.EscapedPath(),
		"body":            string(body),
		"isBase64Encoded": false,
	}
	if trigger == ALBMultiValue {
		e["multiValueHeaders"], e["multiValueQueryStringParameters"] = header, query
	} else {
		e["headers"], e["queryStringParameters"] = lastValues(header), lastValues(query)
	}
	if len(body) > 0 && (r.Header.Get("Content-Encoding") != "" || !isTextType(r.Header.Get("Content-Type"))) {
		e["body"], e["isBase64Encoded"] = base64.StdEncoding.EncodeToString(body), true
	}
	return e
}

// parseALB parses a response for a load balancer: at most 1 MB of JSON, with a
// status description and the kind of headers that the target group is
// configured for.
func parseALB(result []byte, trigger HTTPTrigger) (*response, error) {
	if len(result) > maxALBBody {
		return nil, fmt.Errorf("%w: it has %d bytes", errResponse, len(result))
	}
	var a struct {
		StatusCode        int                 `json:"statusCode"`
		StatusDescription string              `json:"statusDescription"`
		Headers           map[string]string   `json:"headers"`
		MultiValueHeaders map[string][]string `json:"multiValueHeaders"`
		Body              string              `json:"body"`
		IsBase64Encoded   bool                `json:"isBase64Encoded"`
	}
	if err := json.Unmarshal(result, &a); err != nil {
		return nil, fmt.Errorf("%w: %w", errResponse, err)
	}
	if !strings.HasPrefix(a.StatusDescription, strconv.Itoa(a.StatusCode)+" ") {
		return nil, fmt.Errorf("%w: status description %q", errResponse, a.StatusDescription)
	}
	h := http.Header{}
	if trigger == ALBMultiValue {
		for name, values := range a.MultiValueHeaders {
			for _, v := range values {
				h.Add(name, v)
			}
		}
	} else {
		for name, v := range a.Headers {
			h.Add(name, v)
		}
	}
	body, err := decodeBody(a.Body, a.IsBase64Encoded)
	return &response{a.StatusCode, h, body}, err
}
