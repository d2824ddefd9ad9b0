package intake_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"maps"
	"math/big"
	"net/textproto"
	"strings"
	"sync"
	"testing"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/intake"
	"tocsin/pkg/setting"
)

const (
	topic   = "arn:aws:sns:us-east-1:123456789012:alarms"
	certURL = "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-1.pem"
	alarm   = `{"AlarmName":"A","AWSAccountId":"123456789012","NewStateValue":"ALARM","StateChangeTime":"2026-11-20T14:29:00.000+0000","AlarmArn":"arn:aws:cloudwatch:us-east-1:123456789012:alarm:A"}`
)

// fakeSNS signs messages and serves its certificate. It records the requested
// addresses.
type fakeSNS struct {
	key      *rsa.PrivateKey
	cert     []byte
	mu       sync.Mutex
	requests []string
	err      error
}

// sharedKey makes one key for all tests, because that is slow.
var sharedKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func newFakeSNS(t testing.TB, notBefore, notAfter time.Time) *fakeSNS {
	t.Helper()
	key := sharedKey()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "sns.amazonaws.com"}, NotBefore: notBefore, NotAfter: notAfter}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return &fakeSNS{key: key, cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
}

func (s *fakeSNS) fetch(_ context.Context, address string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, address)
	return s.cert, s.err
}

// sign signs a message as Amazon documents for its type.
func (s *fakeSNS) sign(t testing.TB, m map[string]any) {
	t.Helper()
	text := func(name string) string { s, _ := m[name].(string); return name + "\n" + s + "\n" }
	var signed string
	if m["Type"] == "Notification" {
		signed = text("Message") + text("MessageId")
		if _, ok := m["Subject"]; ok {
			signed += text("Subject")
		}
		signed += text("Timestamp") + text("TopicArn") + text("Type")
	} else {
		signed = text("Message") + text("MessageId") + text("SubscribeURL") + text("Timestamp") + text("Token") + text("TopicArn") + text("Type")
	}
	hash, sum := crypto.SHA256, sha256.Sum256([]byte(signed))
	digest := sum[:]
	if m["SignatureVersion"] == "1" {
		sum := sha1.Sum([]byte(signed))
		hash, digest = crypto.SHA1, sum[:]
	}
	signature, err := rsa.SignPKCS1v15(nil, s.key, hash, digest)
	if err != nil {
		t.Fatal(err)
	}
	m["Signature"] = base64.StdEncoding.EncodeToString(signature)
}

// newMessage returns a notification. Changes are pairs of names and values; nil
// removes a field.
func newMessage(changes ...any) map[string]any {
	m := map[string]any{
		"Type": "Notification", "MessageId": "m-1", "TopicArn": topic, "Subject": "ALARM: A", "Message": alarm,
		"Timestamp": "2026-11-20T14:29:30.000Z", "SignatureVersion": "2", "SigningCertURL": certURL,
		"UnsubscribeURL": "https://sns.us-east-1.amazonaws.com/?Action=Unsubscribe",
	}
	for i := 0; i < len(changes); i += 2 {
		if changes[i+1] == nil {
			delete(m, changes[i].(string))
		} else {
			m[changes[i].(string)] = changes[i+1]
		}
	}
	return m
}

// newConfirmation returns a subscription confirmation.
func newConfirmation(changes ...any) map[string]any {
	return newMessage(append([]any{
		"Type", "SubscriptionConfirmation", "Subject", nil, "Token", "t0ken", "Message", "You have chosen to subscribe",
		"SubscribeURL", "https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn=" + topic + "&Token=t0ken",
	}, changes...)...)
}

func TestSNS(t *testing.T) {
	off := false
	strict := intake.SNSConfig{Topics: []string{topic}}
	for _, tt := range []struct {
		name   string
		config intake.SNSConfig
		signed map[string]any
		forge  map[string]any // changes after signing
		want   string         // in the error, "" for none
		alerts int
	}{
		{name: "signature 2", config: strict, signed: newMessage(), alerts: 1},
		{name: "signature 1", config: strict, signed: newMessage("SignatureVersion", "1"), alerts: 1},
		{name: "without subject", config: strict, signed: newMessage("Subject", nil), alerts: 1},
		{name: "any topic", signed: newMessage(), alerts: 1},
		{name: "China", signed: newMessage("SigningCertURL", "https://sns.cn-north-1.amazonaws.com.cn/a.pem"), alerts: 1},
		{name: "unsubscribed", config: strict, signed: newConfirmation("Type", "UnsubscribeConfirmation")},
		{name: "delivered late", config: strict, signed: newMessage("Timestamp", "2026-11-20T13:30:00.000Z"), alerts: 1},

		{name: "another topic", config: strict, signed: newMessage("TopicArn", topic+"2"), want: "is not among webhook.sns.topics"},
		{name: "changed message", config: strict, signed: newMessage(), forge: map[string]any{"Message": strings.Replace(alarm, `"A"`, `"B"`, 1)}, want: "Signature: does not match the message"},
		{name: "changed time", config: strict, signed: newMessage(), forge: map[string]any{"Timestamp": "2026-11-20T14:29:31.000Z"}, want: "Signature: does not match the message"},
		{name: "changed version", config: strict, signed: newMessage(), forge: map[string]any{"SignatureVersion": "1"}, want: "Signature: does not match the message"},
		{name: "no signature", config: strict, signed: newMessage(), forge: map[string]any{"Signature": nil}, want: "Signature: is missing"},
		{name: "not base64", config: strict, signed: newMessage(), forge: map[string]any{"Signature": "!"}, want: "Signature: is not base64"},
		{name: "empty signature", config: strict, signed: newMessage(), forge: map[string]any{"Signature": ""}, want: "Signature: does not match the message"},
		{name: "version 3", config: strict, signed: newMessage("SignatureVersion", "3"), want: `SignatureVersion: unknown version "3"`},
		{name: "replayed", config: strict, signed: newMessage("Timestamp", "2026-11-20T13:20:00.000Z"), want: "Timestamp: 2026-11-20T13:20:00Z is not within the last hour"},
		{name: "from the future", config: strict, signed: newMessage("Timestamp", "2026-11-20T14:36:00.000Z"), want: "is not within the last hour"},
		{name: "another host", signed: newMessage("SigningCertURL", "https://sns.us-east-1.amazonaws.com.example.com/a.pem"), want: "SigningCertURL: is not an https address of Amazon SNS"},
		{name: "host in the user", signed: newMessage("SigningCertURL", "https://sns.us-east-1.amazonaws.com@example.com/a.pem"), want: "is not an https address"},
		{name: "user", signed: newMessage("SigningCertURL", "https://u@sns.us-east-1.amazonaws.com/a.pem"), want: "is not an https address"},
		{name: "a bucket", signed: newMessage("SigningCertURL", "https://sns.s3.amazonaws.com.amazonaws.com/a.pem"), want: "is not an https address"},
		{name: "plain http", signed: newMessage("SigningCertURL", "http://sns.us-east-1.amazonaws.com/a.pem"), want: "is not an https address"},
		{name: "a port", signed: newMessage("SigningCertURL", "https://sns.us-east-1.amazonaws.com:8443/a.pem"), want: "is not an https address"},
		{name: "no certificate", signed: newMessage("SigningCertURL", "https://sns.us-east-1.amazonaws.com/?Action=Publish&x=.pem"), want: "is not the address of a certificate"},
		{name: "no alarm", signed: newMessage("Message", "hello"), alerts: 1},
		{name: "another message", signed: newMessage("Message", `{"x":1}`), alerts: 1},
		{name: "an invalid alarm", signed: newMessage("Message", `{"AlarmName":"A"}`), want: "Message.NewStateValue: is missing"},
		{name: "unknown type", signed: newMessage("Type", "Other"), want: "Signature"}, // no known type has this signature
		{name: "unverified unknown type", config: intake.SNSConfig{Verify: &off}, signed: newMessage("Type", "Other"), want: `Type: unknown type "Other"`},
		{name: "unverified", config: intake.SNSConfig{Verify: &off}, signed: newMessage(), forge: map[string]any{"Signature": "!"}, alerts: 1},
		{name: "unverified topic", config: intake.SNSConfig{Verify: &off, Topics: []string{topic}}, signed: newMessage("TopicArn", "arn:x"), want: "is not among webhook.sns.topics"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := newFakeSNS(t, now.Add(-time.Hour), now.Add(time.Hour))
			a.sign(t, tt.signed)
			for name, v := range tt.forge {
				if tt.signed[name] = v; v == nil {
					delete(tt.signed, name)
				}
			}
			out, err := intake.NewSNS(tt.config, a.fetch).Decode(context.Background(), snsInput(t, tt.signed))
			if tt.want == "" && (err != nil || len(out.Alerts) != tt.alerts) {
				t.Fatalf("got %d alerts, %v, want %d", len(out.Alerts), err, tt.alerts)
			}
			if tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
			for _, address := range a.requests {
				if !strings.HasPrefix(address, "https://sns.us-east-1.amazonaws.com/") && !strings.HasPrefix(address, "https://sns.cn-north-1.amazonaws.com.cn/") {
					t.Errorf("got a request to %s, want Amazon only", address)
				}
			}
		})
	}
}

// TestSNSEvents decodes messages that are no alarms. Each is an alert that expires.
func TestSNSEvents(t *testing.T) {
	newEvent := func(labels alert.Labels, annotations alert.Labels) *alert.Alert {
		labels["topic"], labels["account"], labels["region"] = "t", "123456789012", "us-east-1"
		return &alert.Alert{Labels: labels, Annotations: annotations, StartsAt: now.Add(-time.Minute), Timeout: true}
	}
	rds := newEvent(alert.Labels{"alertname": "db-instance", "instance": "mydb", "event_id": "1"}, alert.Labels{"summary": "DB instance restarted"})
	rds.GeneratorURL = "https://console"
	health := newEvent(alert.Labels{"alertname": "AWS Health Event", "source": "aws.health", "event_id": "1"},
		alert.Labels{"summary": "AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED", "resources": `["i-1"]`})
	health.Labels["account"] = "1"
	for file, want := range map[string]*alert.Alert{
		"sns/envelope/text.json":   newEvent(alert.Labels{"alertname": "s", "event_id": "1"}, alert.Labels{"summary": "EC2 instance i-123 was terminated by Auto Scaling"}),
		"sns/envelope/rds.json":    rds,
		"sns/envelope/health.json": health,
	} {
		t.Run(file, func(t *testing.T) {
			off := false
			sns := intake.NewSNS(intake.SNSConfig{Verify: &off}, nil)
			out, err := sns.Decode(context.Background(), intake.Input{Body: read(t, "testdata/"+file), Media: intake.Text, Now: now})
			if err != nil || len(out.Alerts) != 1 {
				t.Fatalf("got %d alerts, %v, want one", len(out.Alerts), err)
			}
			compare(t, out.Alerts[0], want)
		})
	}
}

func snsInput(t testing.TB, m map[string]any) intake.Input {
	t.Helper()
	body, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return intake.Input{Body: body, Media: intake.Text, Now: now}
}

// TestSNSConfirmation checks that only subscriptions to allowed topics are confirmed,
// and only at Amazon's address.
func TestSNSConfirmation(t *testing.T) {
	off := false
	for _, tt := range []struct {
		name   string
		config intake.SNSConfig
		m      map[string]any
		want   string
	}{
		{"wanted", intake.SNSConfig{Topics: []string{topic}}, newConfirmation(), ""},
		{"unverified", intake.SNSConfig{Verify: &off}, newConfirmation(), ""},
		{"another topic", intake.SNSConfig{Topics: []string{topic + "2"}}, newConfirmation(), "is not among webhook.sns.topics"},
		{"another host", intake.SNSConfig{Verify: &off}, newConfirmation("SubscribeURL", "https://169.254.169.254/latest/meta-data"), "SubscribeURL: is not an https address of Amazon SNS"},
		{"another action", intake.SNSConfig{}, newConfirmation("SubscribeURL", "https://sns.us-east-1.amazonaws.com/?Action=Unsubscribe&TopicArn="+topic), "does not confirm a subscription"},
		{"for another topic", intake.SNSConfig{}, newConfirmation("SubscribeURL", "https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn="+topic+"2"), "does not confirm a subscription"},
		{"without an address", intake.SNSConfig{Verify: &off}, newConfirmation("SubscribeURL", nil), "SubscribeURL"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := newFakeSNS(t, now.Add(-time.Hour), now.Add(time.Hour))
			a.sign(t, tt.m)
			out, err := intake.NewSNS(tt.config, a.fetch).Decode(context.Background(), snsInput(t, tt.m))
			confirmed := len(a.requests) > 0 && a.requests[len(a.requests)-1] == tt.m["SubscribeURL"]
			if len(out.Alerts) > 0 || confirmed != (tt.want == "") || tt.want == "" && err != nil {
				t.Fatalf("got requests %q, %v, want confirmed %v", a.requests, err, tt.want == "")
			}
			if tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
}

// TestSNSCertificate checks that a certificate is fetched once, and that failing to
// fetch it is not an error of the message.
func TestSNSCertificate(t *testing.T) {
	a := newFakeSNS(t, now.Add(-time.Hour), now.Add(time.Hour))
	sns := intake.NewSNS(intake.SNSConfig{}, a.fetch)
	m := newMessage()
	a.sign(t, m)
	a.err = errors.New("no route")
	if _, err := sns.Decode(context.Background(), snsInput(t, m)); !errors.Is(err, intake.ErrUnreachable) {
		t.Errorf("unreachable certificate: got %v, want %v", err, intake.ErrUnreachable)
	}
	a.err = nil
	var wg sync.WaitGroup
	for range 3 {
		if _, err := sns.Decode(context.Background(), snsInput(t, m)); err != nil {
			t.Error(err)
		}
	}
	for range 8 {
		wg.Go(func() {
			if _, err := sns.Decode(context.Background(), snsInput(t, maps.Clone(m))); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if len(a.requests) != 2 {
		t.Errorf("got requests %q, want the failed and one more", a.requests)
	}
	for name, bad := range map[string]*fakeSNS{
		"expired":       newFakeSNS(t, now.Add(-time.Hour), now.Add(-time.Second)),
		"not yet valid": newFakeSNS(t, now.Add(time.Second), now.Add(time.Hour)),
		"not PEM":       {cert: []byte("hello")},
		"invalid DER":   {cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")})},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := intake.NewSNS(intake.SNSConfig{}, bad.fetch).Decode(t.Context(), snsInput(t, m))
			if err == nil || !strings.Contains(err.Error(), "SigningCertURL: ") {
				t.Errorf("got %v, want an error of SigningCertURL", err)
			}
		})
	}
}

// TestSNSUnsigned checks that unsigned messages are accepted from an authenticated sender
// or when verification is off, with and without configured topics.
func TestSNSUnsigned(t *testing.T) {
	off := false
	raw := textproto.MIMEHeader{"X-Amz-Sns-Topic-Arn": {topic}}
	for _, tt := range []struct {
		name          string
		config        intake.SNSConfig
		authenticated bool
		header        textproto.MIMEHeader
		accepted      bool
	}{
		{"no topics", intake.SNSConfig{}, false, raw, false},
		{"no topics and no header", intake.SNSConfig{}, false, nil, false},
		{"no topics, with a token", intake.SNSConfig{}, true, raw, true},
		{"no topics, not verified", intake.SNSConfig{Verify: &off}, false, raw, true},
		{"topics", intake.SNSConfig{Topics: []string{topic}}, false, raw, false},
		{"topics, with a token", intake.SNSConfig{Topics: []string{topic}}, true, raw, true},
		{"topics, not verified", intake.SNSConfig{Topics: []string{topic}, Verify: &off}, false, raw, true},
		{"another topic", intake.SNSConfig{Topics: []string{topic + "2"}, Verify: &off}, true, raw, false},
		{"EventBridge", intake.SNSConfig{Topics: []string{topic}}, true, nil, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := newFakeSNS(t, now, now)
			out, err := intake.NewSNS(tt.config, a.fetch).Decode(t.Context(), intake.Input{Body: []byte(alarm), Now: now, Authenticated: tt.authenticated, Header: tt.header})
			if accepted := err == nil && len(out.Alerts) == 1; accepted != tt.accepted {
				t.Errorf("got %d alerts, %v, want accepted %v", len(out.Alerts), err, tt.accepted)
			}
		})
	}
}

func TestSNSConfig(t *testing.T) {
	off := false
	var f setting.Faults
	(&intake.SNSConfig{Topics: []string{topic, "alarms"}, Verify: &off}).Validate(&f)
	list := f.List()
	if len(list) != 2 || list[0].Warning || !strings.Contains(list[0].Message, `"alarms" is not a topic's ARN`) || !list[1].Warning {
		t.Errorf("got %v, want an error about the topic and a warning", list)
	}
}
