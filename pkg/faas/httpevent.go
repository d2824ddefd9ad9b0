package faas

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// shape is the form in which a platform writes requests and wants answers.
type shape int

const (
	scfHTTP  shape = iota // SCF function URL and API gateway
	lambdaV2              // Lambda function URL, and HTTP API with payload format 2.0
	lambdaV1              // REST API, and HTTP API with payload format 1.0
	alb                   // Application Load Balancer
	albMulti              // the same with multi-value headers
)

// maxHTTPEvent is the largest event that SCF and Lambda send, in bytes
// (document/product/583/11637; Lambda quotas).
const maxHTTPEvent = 6 << 20

// httpEvent is what is read of an event of whichever shape.
type httpEvent struct {
	// Timers have a type, and so have the questions that API Gateway asks an
	// authorizer, which look like requests otherwise.
	Type json.RawMessage `json:"type"`

	Version    string `json:"version"`
	Resource   string `json:"resource"`
	HTTPMethod string `json:"httpMethod"`

	Path            string `json:"path"`
	RawPath         string `json:"rawPath"`
	RawQuery        string `json:"rawQueryString"`
	SCFQuery        fields `json:"queryString"`
	Query           fields `json:"queryStringParameters"`
	MultiValueQuery fields `json:"multiValueQueryStringParameters"`

	Headers           fields   `json:"headers"`
	MultiValueHeaders fields   `json:"multiValueHeaders"`
	Cookies           []string `json:"cookies"`

	Body            string `json:"body"`
	IsBase64Encoded bool   `json:"isBase64Encoded"`

	Context struct {
		HTTP *struct {
			Method   string `json:"method"`
			SourceIP string `json:"sourceIp"`
		} `json:"http"`
		Identity struct {
			SourceIP string `json:"sourceIp"`
		} `json:"identity"`
		ELB        *struct{} `json:"elb"`
		SourceIP   string    `json:"sourceIp"` // SCF
		DomainName string    `json:"domainName"`
		Stage      string    `json:"stage"`
	} `json:"requestContext"`
}

// decodeHTTP recognises an event by its shape. The error for one that is no
// HTTP request's names the keys that it has, and none of their values.
func decodeHTTP(event []byte) (*httpEvent, shape, error) {
	if len(event) > maxHTTPEvent {
		return nil, 0, fmt.Errorf("the event has %d bytes: an HTTP request's has at most %d", len(event), maxHTTPEvent)
	}
	e := new(httpEvent)
	if json.Unmarshal(event, e) == nil {
		if s, ok := e.shape(); ok {
			return e, s, nil
		}
	}

	if t, err := parseTimer(event); err == nil {
		return nil, 0, fmt.Errorf("the event is a timer's (%s), and this function takes HTTP requests: remove its timer trigger", t.Source)
	}
	const hint = "call this function through a function URL, an API gateway or a load balancer"
	var keys map[string]json.RawMessage
	if json.Unmarshal(event, &keys) != nil {
		return nil, 0, errors.New("the event is not a JSON object: " + hint)
	}
	return nil, 0, &unknownEvent{"an HTTP request's", hint, slices.Sorted(maps.Keys(keys))}
}

func (e *httpEvent) shape() (s shape, ok bool) {
	switch {
	case e.Type != nil:
		return 0, false
	case e.Version == "2.0" && e.Context.HTTP != nil:
		return lambdaV2, true
	case e.HTTPMethod == "":
		return 0, false
	case e.Context.ELB != nil && e.MultiValueHeaders != nil:
		return albMulti, true
	case e.Context.ELB != nil:
		return alb, true
	case e.Resource != "":
		return lambdaV1, true
	}
	return scfHTTP, e.Path != "" && e.Headers != nil
}

// fields are headers, or the parameters of a query.
type fields map[string]values

// values are a field's. JSON has a text for one value, and a list for several;
// SCF's API gateway writes true for a parameter without a value.
type values []string

func (v *values) UnmarshalJSON(b []byte) error {
	switch b[0] {
	case '[':
		return json.Unmarshal(b, (*[]string)(v))
	case 't':
		*v = values{""}
		return nil
	}
	var one *string
	if err := json.Unmarshal(b, &one); err != nil {
		return err
	}
	if one != nil {
		*v = values{*one}
	}
	return nil
}
