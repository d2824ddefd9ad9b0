package webhook

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/localcloud/fault"
)

// The example of the Standard Webhooks specification.
const (
	secret    = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	id        = "msg_p5jXN8AQM9LWM0D4loKWxJek"
	timestamp = "1614265330"
	body      = `{"test": 2432232314}`
	signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
)

// otherSecret is another valid secret.
const otherSecret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

func request(method, contentType, body string, headers ...string) *http.Request {
	r := httptest.NewRequest(method, "/alerts?a=b", strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

func signed(id, timestamp, body, signature string) *http.Request {
	return request("POST", "application/json", body, "webhook-id", id, "webhook-timestamp", timestamp, "webhook-signature", signature)
}

func TestRequestsWithoutSignature(t *testing.T) {
	tests := []struct {
		name   string
		r      *http.Request
		status int
	}{
		{"JSON", request("POST", "application/json", "{}"), 204},
		{"JSON with a charset", request("POST", "application/json; charset=utf-8", "[]"), 204},
		{"GET", request("GET", "application/json", "{}"), 405},
		{"form", request("POST", "application/x-www-form-urlencoded", "{}"), 415},
		{"no media type", request("POST", "", "{}"), 415},
		{"not JSON", request("POST", "application/json", "{"), 400},
		{"body is too large", request("POST", "application/json", strings.Repeat(" ", maxBody+1)), 413},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := New(time.Now)
			w := httptest.NewRecorder()
			s.ServeHTTP(w, tt.r)
			if inbox := s.Inbox(); w.Code != tt.status || (len(inbox) == 1) != (tt.status == 204) {
				t.Errorf("got %d %s and %d messages, want %d", w.Code, w.Body, len(inbox), tt.status)
			}
		})
	}
}

func TestSignatures(t *testing.T) {
	at := time.Unix(1614265330, 0)
	tests := []struct {
		name    string
		now     time.Time
		secrets []string
		r       *http.Request
		want    string // a part of the error, "" for none
	}{
		{"example of the specification", at, []string{secret}, signed(id, timestamp, body, signature), ""},
		{"one of two secrets", at, []string{otherSecret, secret}, signed(id, timestamp, body, signature), ""},
		{"one of three signatures", at, []string{secret}, signed(id, timestamp, body, "v1a,xx v1,AAAA "+signature), ""},
		{"five minutes old", at.Add(5 * time.Minute), []string{secret}, signed(id, timestamp, body, signature), ""},
		{"older than five minutes", at.Add(5*time.Minute + 1), []string{secret}, signed(id, timestamp, body, signature), "away"},
		{"of tomorrow", at.AddDate(0, 0, -1), []string{secret}, signed(id, timestamp, body, signature), "away"},
		{"other secret", at, []string{otherSecret}, signed(id, timestamp, body, signature), "no signature matches"},
		{"other body", at, []string{secret}, signed(id, timestamp, body+" ", signature), "no signature matches"},
		{"other id", at, []string{secret}, signed("msg_x", timestamp, body, signature), "no signature matches"},
		{"other version", at, []string{secret}, signed(id, timestamp, body, "v2"+signature[2:]), "no signature matches"},
		{"no signature", at, []string{secret}, signed(id, timestamp, body, ""), "no signature matches"},
		{"no id", at, []string{secret}, signed("", timestamp, body, signature), "webhook-id"},
		{"dot in the id", at, []string{secret}, signed("a.b", timestamp, body, signature), "webhook-id"},
		{"timestamp is not a number", at, []string{secret}, signed(id, "now", body, signature), "webhook-timestamp"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := New(func() time.Time { return tt.now })
			if err := s.RequireSignature(tt.secrets...); err != nil {
				t.Fatal(err)
			}
			w := httptest.NewRecorder()
			s.ServeHTTP(w, tt.r)
			if accepted := len(s.Inbox()) == 1; accepted != (tt.want == "") || accepted != (w.Code == 204) || !strings.Contains(w.Body.String(), tt.want) {
				t.Errorf("got %d %q and accepted %v, want %q", w.Code, w.Body, accepted, tt.want)
			}
		})
	}
	for _, secret := range []string{"MfKQ", "whsec_!"} {
		if New(time.Now).RequireSignature(secret) == nil {
			t.Errorf("got no error for the secret %q, want one", secret)
		}
	}
}

func TestRepeatedMessagesAreDeliveredOnce(t *testing.T) {
	s := New(func() time.Time { return time.Unix(1614265330, 0) })
	if err := s.RequireSignature(secret); err != nil {
		t.Fatal(err)
	}
	var seen []Message
	s.OnMessage(func(m Message) { seen = append(seen, m) })
	s.Inject(2, fault.Respond(503, "text/plain", "busy", "Retry-After", "7"))
	for i, want := range []int{503, 503, 204, 204} {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, signed(id, timestamp, body, signature))
		if w.Code != want || want == 503 && (w.Header().Get("Retry-After") != "7" || w.Body.String() != "busy") {
			t.Errorf("request %d: got %d %v %s, want %d", i, w.Code, w.Header(), w.Body, want)
		}
	}
	if s.Calls() != 4 || len(seen) != 1 || len(s.Inbox()) != 1 || seen[0].Path != "/alerts?a=b" || string(seen[0].Body) != body {
		t.Errorf("got %+v by %d requests, want one message by 4", seen, s.Calls())
	}
}
