package webhook

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"tocsin/pkg/localcloud/fault"
	"tocsin/pkg/notify"
	"tocsin/pkg/notify/notifytest"
	"tocsin/pkg/setting"
)

func TestContract(t *testing.T) {
	notifytest.Run(t, notifytest.Channel[*Config]{
		Start: startVendor,
		Kind:  notify.Kind{Name: "webhook", SendResolved: true},
		// The last is basic authentication: printf 'u:%s' KEY | base64 begins with it.
		Secrets: []string{key, secret1[6:], "dTo3ZDNj"},
		Errors:  vendorErrors(),
		Templates: []notifytest.TemplateCase[*Config]{
			{Key: "payload", Set: func(c *Config, s string) { c.Payload = map[string]any{"text": s} }},
			{Key: "url", Set: func(c *Config, s string) { c.URL += setting.Secret("&to=" + s) }, OnFailure: notifytest.Permanent},
		},
		Variants: []notifytest.Variant[*Config]{
			{Name: "payload", Change: func(c *Config) {
				c.Payload = map[string]any{"text": "{{ .CommonLabels.alertname }} {{ .CommonAnnotations.summary }}", "list": []any{"{{ .Status }}"}}
			}},
			{Name: "token", Change: func(c *Config) { c.HTTP = &HTTPConfig{Authorization: &Authorization{Credentials: key}} }},
		},
	})
}

// startVendor starts a server that checks signatures. The configuration has a
// secret in every place.
func startVendor(t *testing.T) *notifytest.Vendor[*Config] {
	t.Helper()
	r := startReceiver(t)
	if err := r.RequireSignature(secret1); err != nil {
		t.Fatal(err)
	}
	return &notifytest.Vendor[*Config]{
		Env: r.env,
		Config: &Config{
			URL: setting.Secret(r.address), Secret: secret1,
			HTTP: &HTTPConfig{BasicAuth: &BasicAuth{Username: "u", Password: key}},
		},
		Inject: r.Inject, Requests: r.Calls,
		Received: func(skip int) []notifytest.Received {
			var out []notifytest.Received
			for _, m := range r.Inbox()[skip:] {
				var body map[string]any
				if err := json.Unmarshal(m.Body, &body); err != nil {
					t.Errorf("got a body that is not JSON: %v: %s", err, m.Body)
				}
				delete(body, "alerts") // their labels are keys by right
				out = append(out, notifytest.Received{Text: string(m.Body), Markup: map[string]int{"keys": len(body)}})
			}
			return out
		},
	}
}

// vendorErrors are the statuses that mean something else to a webhook than to
// other servers: as Alertmanager does it, 5xx is retried and 4xx is not, and as
// Standard Webhooks asks, 429 waits as long as Retry-After says.
func vendorErrors() []notifytest.ErrorCase[*Config] {
	var cases []notifytest.ErrorCase[*Config]
	for _, c := range []struct {
		status     int
		retryAfter string
		want       notify.Error
	}{
		{500, "", notify.Error{Class: notify.Retry, Ambiguous: true, Message: "the server failed"}},
		{502, "20", notify.Error{Class: notify.Retry, Ambiguous: true, RetryAfter: 20 * time.Second, Message: "the server failed"}},
		{503, "7", notify.Error{Class: notify.Retry, RetryAfter: 7 * time.Second, Message: "the server failed"}},
		{504, "", notify.Error{Class: notify.Retry, Ambiguous: true, Message: "the server failed"}},
		{400, "", notify.Error{Class: notify.Permanent, Message: "refuses the request"}},
		{401, "", notify.Error{Class: notify.Permanent, Message: "check http_config and secret"}},
		{403, "", notify.Error{Class: notify.Permanent, Message: "check http_config and secret"}},
		{410, "", notify.Error{Class: notify.Permanent, Message: "remove it from the configuration"}},
		{413, "", notify.Error{Class: notify.Permanent, Message: "set max_alerts"}},
		{422, "", notify.Error{Class: notify.Permanent, Message: "refuses the request"}},
		{304, "", notify.Error{Class: notify.Permanent, Message: "redirects"}},
	} {
		c.want.Code = fmt.Sprint("HTTP ", c.status)
		cases = append(cases, notifytest.ErrorCase[*Config]{Name: fmt.Sprint("status ", c.status),
			Fault: fault.Respond(c.status, "text/plain", "", "Retry-After", c.retryAfter), Want: &c.want})
	}
	for _, status := range []int{200, 201, 202, 204} {
		cases = append(cases, notifytest.ErrorCase[*Config]{Name: fmt.Sprint("status ", status), Fault: fault.Respond(status, "text/plain", "")})
	}
	return append(cases,
		notifytest.ErrorCase[*Config]{Name: "proxy page with status 200", Fault: fault.Respond(200, "text/html", "<html>")}, // a receiver may answer anything
		notifytest.ErrorCase[*Config]{Name: "empty response", Fault: fault.Respond(200, "application/json", "")},
		notifytest.ErrorCase[*Config]{Name: "token repeated in the response",
			Setup: func(_ *testing.T, v *notifytest.Vendor[*Config]) {
				v.Config.HTTP = &HTTPConfig{Authorization: &Authorization{Credentials: key}}
			},
			Fault: func(w http.ResponseWriter, r *http.Request, _ func()) {
				http.Error(w, "bad "+r.Header.Get("Authorization"), http.StatusForbidden)
			},
			Want: &notify.Error{Class: notify.Permanent, Code: "HTTP 403", Message: "<secret>"}},
		notifytest.ErrorCase[*Config]{Name: "timeout of the configuration", Fault: fault.Hang,
			Setup: func(_ *testing.T, v *notifytest.Vendor[*Config]) {
				v.Config.Timeout = setting.Duration(300 * time.Millisecond)
			},
			Want: &notify.Error{Class: notify.Retry, Ambiguous: true, Message: "no answer within timeout, 300ms"}},
	)
}
