package api_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	"tocsin/pkg/api"
	"tocsin/pkg/store"
)

// loadOpenAPI returns docs/openapi.yaml. Fields that its schemas do not describe are
// errors.
func loadOpenAPI(t *testing.T) *openapi3.T {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromFile("../../docs/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	no := false
	for _, s := range doc.Components.Schemas {
		s.Value.AdditionalProperties.Has = &no
	}
	return doc
}

// TestOpenAPIPaths checks that docs/openapi.yaml has the operations that are served.
func TestOpenAPIPaths(t *testing.T) {
	doc := loadOpenAPI(t)
	if got := doc.Servers[0].URL + "/"; got != programs {
		t.Errorf("got the server %s, want %s", got, programs)
	}
	var described []string
	for path, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			described = append(described, method+" "+strings.TrimPrefix(path, "/"))
		}
	}
	served := api.ProgramOperations()
	slices.Sort(described)
	slices.Sort(served)
	if !slices.Equal(described, served) {
		t.Errorf("docs/openapi.yaml: got %q, want those that are served, %q", described, served)
	}
}

// TestOpenAPIResponses sends requests for every operation and validates every response
// that docs/openapi.yaml describes.
func TestOpenAPIResponses(t *testing.T) {
	doc := loadOpenAPI(t)
	// Requests by operation and status. For other statuses the request for 200 is sent in
	// other circumstances.
	examples := map[string]map[int]string{
		"GET /lag":                    {200: "lag", 404: "lag?cluster=x"},
		"GET /lag/history":            {200: "lag/history?cluster=orders&group=order-worker&topic=paid", 400: "lag/history", 404: "lag/history?cluster=x&group=g&topic=t"},
		"GET /dead":                   {200: "dead"},
		"POST /dead/{id}/resend":      {200: "dead/<id>/resend", 404: "dead/x/resend"},
		"POST /receivers/{name}/test": {200: "receivers/%E8%BF%90%E7%BB%B4%2F1/test", 404: "receivers/x/test"},
	}
	for path, item := range doc.Paths.Map() {
		for method, operation := range item.Operations() {
			for code := range operation.Responses.Map() {
				t.Run(method+" "+path+" "+code, func(t *testing.T) {
					status, err := strconv.Atoi(code)
					if err != nil {
						t.Fatal(err)
					}
					requests := examples[method+" "+path]
					request, ok := requests[status]
					if !ok {
						request = requests[200]
					}
					route := &routers.Route{Spec: doc, Path: path, PathItem: item, Method: method, Operation: operation}
					validateResponse(t, route, request, status)
				})
			}
		}
	}
}

// validateResponse sends a request in the circumstances in which its status is expected.
func validateResponse(t *testing.T, route *routers.Route, request string, status int) {
	t.Helper()
	p := newProgramsAPI(t, func(o *api.Options) {
		if status != http.StatusForbidden {
			withTokens(o)
			o.Webhook.RateLimit = 1
		}
	})
	p.addDeadLetter("a")
	letters, err := p.engine.Outbox().DeadLetters(t.Context())
	if err != nil || len(letters) != 1 {
		t.Fatalf("got %d dead letters and %v, want one", len(letters), err)
	}
	r := httptest.NewRequest(route.Method, programs+strings.Replace(request, "<id>", letters[0].ID, 1), nil)
	r.Header.Set("Authorization", "Bearer "+prometheusToken)
	switch status {
	case http.StatusUnauthorized:
		r.Header.Set("Authorization", "Bearer "+hooksToken)
	case http.StatusForbidden:
		r.Host = "evil.example"
	case http.StatusTooManyRequests:
		p.serve(r.Clone(context.Background()))
	case http.StatusServiceUnavailable:
		p.store.err = store.ErrUnavailable
	}
	resp := p.serve(r)
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != status {
		t.Fatalf("%s %s: got %d %s, want %d", r.Method, r.URL, resp.StatusCode, body, status)
	}
	in := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: r, Route: route},
		Status:                 status, Header: resp.Header,
		Options: &openapi3filter.Options{IncludeResponseStatus: true},
	}
	in.SetBodyBytes(body)
	if err := openapi3filter.ValidateResponse(t.Context(), in); err != nil {
		t.Errorf("%s %s: %v", r.Method, r.URL, err)
	}
}
