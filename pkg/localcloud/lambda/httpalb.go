package lambda

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// eventALB is an event of a load balancer. It leaves the query's parameters
// escaped, and without multi-value headers it keeps the last value of a name
// (ELB, "Lambda functions as targets").
func (f *Function) eventALB(r *http.Request, body []byte, front HTTPTrigger) any {
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
	if front == ALBMultiValue {
		e["multiValueHeaders"], e["multiValueQueryStringParameters"] = header, query
	} else {
		e["headers"], e["queryStringParameters"] = lastValues(header), lastValues(query)
	}
	if len(body) > 0 && (r.Header.Get("Content-Encoding") != "" || !isTextType(r.Header.Get("Content-Type"))) {
		e["body"], e["isBase64Encoded"] = base64.StdEncoding.EncodeToString(body), true
	}
	return e
}

// responseALB reads an answer: at most 1 MB of JSON, with a status description
// and the kind of headers that the target group is set to.
func parseALB(answer []byte, front HTTPTrigger) (*response, error) {
	if len(answer) > maxALBBody {
		return nil, fmt.Errorf("%w: it has %d bytes", errResponse, len(answer))
	}
	var a struct {
		StatusCode        int                 `json:"statusCode"`
		StatusDescription string              `json:"statusDescription"`
		Headers           map[string]string   `json:"headers"`
		MultiValueHeaders map[string][]string `json:"multiValueHeaders"`
		Body              string              `json:"body"`
		IsBase64Encoded   bool                `json:"isBase64Encoded"`
	}
	if err := json.Unmarshal(answer, &a); err != nil {
		return nil, fmt.Errorf("%w: %w", errResponse, err)
	}
	if !strings.HasPrefix(a.StatusDescription, strconv.Itoa(a.StatusCode)+" ") {
		return nil, fmt.Errorf("%w: status description %q", errResponse, a.StatusDescription)
	}
	h := http.Header{}
	if front == ALBMultiValue {
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
