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

	"tocsin/pkg/intake"
	"tocsin/pkg/setting"
)

const (
	topic   = "arn:aws:sns:us-east-1:123456789012:alarms"
	certURL = "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-1.pem"
	alarm   = `{"AlarmName":"A","AWSAccountId":"123456789012","NewStateValue":"ALARM","StateChangeTime":"2026-11-20T14:29:00.000+0000","AlarmArn":"arn:aws:cloudwatch:us-east-1:123456789012:alarm:A"}`
)

// amazon signs messages and hands out its certificate, and notes what it is asked.
type amazon struct {
	key   *rsa.PrivateKey
	cert  []byte
	mu    sync.Mutex
	asked []string
	err   error
}

var oneKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func newAmazon(t testing.TB, begin, end time.Time) *amazon {
	t.Helper()
	key := oneKey()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "sns.amazonaws.com"}, NotBefore: begin, NotAfter: end}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return &amazon{key: key, cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}
}

func (a *amazon) get(_ context.Context, address string) ([]byte, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked = append(a.asked, address)
	return a.cert, a.err
}

// sign signs as Amazon documents: here written out for each type.
func (a *amazon) sign(t testing.TB, m map[string]any) {
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
		one := sha1.Sum([]byte(signed))
		hash, digest = crypto.SHA1, one[:]
	}
	signature, err := rsa.SignPKCS1v15(nil, a.key, hash, digest)
	if err != nil {
		t.Fatal(err)
	}
	m["Signature"] = base64.StdEncoding.EncodeToString(signature)
}

func message(changes ...any) map[string]any {
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

func confirmation(changes ...any) map[string]any {
	return message(append([]any{
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
		forge  map[string]any // changed after it was signed
		want   string         // of the error; "" for an alert
		alerts int
	}{
		{name: "signature 2", config: strict, signed: message(), alerts: 1},
		{name: "signature 1", config: strict, signed: message("SignatureVersion", "1"), alerts: 1},
		{name: "without subject", config: strict, signed: message("Subject", nil), alerts: 1},
		{name: "any topic", signed: message(), alerts: 1},
		{name: "China", signed: message("SigningCertURL", "https://sns.cn-north-1.amazonaws.com.cn/a.pem"), alerts: 1},
		{name: "unsubscribed", config: strict, signed: confirmation("Type", "UnsubscribeConfirmation")},
		{name: "delivered late", config: strict, signed: message("Timestamp", "2026-11-20T13:30:00.000Z"), alerts: 1},

		{name: "another topic", config: strict, signed: message("TopicArn", topic+"2"), want: "is not among webhook.sns.topics"},
		{name: "changed message", config: strict, signed: message(), forge: map[string]any{"Message": strings.Replace(alarm, `"A"`, `"B"`, 1)}, want: "Signature: does not fit the message"},
		{name: "changed time", config: strict, signed: message(), forge: map[string]any{"Timestamp": "2026-11-20T14:29:31.000Z"}, want: "Signature: does not fit the message"},
		{name: "changed version", config: strict, signed: message(), forge: map[string]any{"SignatureVersion": "1"}, want: "Signature: does not fit the message"},
		{name: "no signature", config: strict, signed: message(), forge: map[string]any{"Signature": nil}, want: "Signature: is missing"},
		{name: "not base64", config: strict, signed: message(), forge: map[string]any{"Signature": "!"}, want: "Signature: is not base64"},
		{name: "empty signature", config: strict, signed: message(), forge: map[string]any{"Signature": ""}, want: "Signature: does not fit the message"},
		{name: "version 3", config: strict, signed: message("SignatureVersion", "3"), want: `SignatureVersion: "3" is not known`},
		{name: "replayed", config: strict, signed: message("Timestamp", "2026-11-20T13:20:00.000Z"), want: "Timestamp: 2026-11-20T13:20:00Z is not of the last hour"},
		{name: "from the future", config: strict, signed: message("Timestamp", "2026-11-20T14:36:00.000Z"), want: "is not of the last hour"},
		{name: "another host", signed: message("SigningCertURL", "https://sns.us-east-1.amazonaws.com.example.com/a.pem"), want: "SigningCertURL: is not an https address of Amazon SNS"},
		{name: "host in the user", signed: message("SigningCertURL", "https://sns.us-east-1.amazonaws.com@example.com/a.pem"), want: "is not an https address"},
		{name: "user", signed: message("SigningCertURL", "https://u@sns.us-east-1.amazonaws.com/a.pem"), want: "is not an https address"},
		{name: "a bucket", signed: message("SigningCertURL", "https://sns.s3.amazonaws.com.amazonaws.com/a.pem"), want: "is not an https address"},
		{name: "plain http", signed: message("SigningCertURL", "http://sns.us-east-1.amazonaws.com/a.pem"), want: "is not an https address"},
		{name: "a port", signed: message("SigningCertURL", "https://sns.us-east-1.amazonaws.com:8443/a.pem"), want: "is not an https address"},
		{name: "no certificate", signed: message("SigningCertURL", "https://sns.us-east-1.amazonaws.com/?Action=Publish&x=.pem"), want: "does not lead to a certificate"},
		{name: "no alarm", signed: message("Message", "hello"), want: "Message: byte 0: it is not JSON"},
		{name: "another message", signed: message("Message", `{"x":1}`), want: "Message.AlarmName: is missing"},
		{name: "unknown type", signed: message("Type", "Other"), want: "Signature"}, // it is signed like none that is known
		{name: "unverified unknown type", config: intake.SNSConfig{Verify: &off}, signed: message("Type", "Other"), want: `Type: "Other" is not known`},
		{name: "unverified", config: intake.SNSConfig{Verify: &off}, signed: message(), forge: map[string]any{"Signature": "!"}, alerts: 1},
		{name: "unverified topic", config: intake.SNSConfig{Verify: &off, Topics: []string{topic}}, signed: message("TopicArn", "arn:x"), want: "is not among webhook.sns.topics"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := newAmazon(t, now.Add(-time.Hour), now.Add(time.Hour))
			a.sign(t, tt.signed)
			for name, v := range tt.forge {
				if tt.signed[name] = v; v == nil {
					delete(tt.signed, name)
				}
			}
			out, err := intake.NewSNS(tt.config, a.get).Decode(context.Background(), snsInput(t, tt.signed))
			if tt.want == "" && (err != nil || len(out.Alerts) != tt.alerts) {
				t.Fatalf("%d alerts, %v", len(out.Alerts), err)
			}
			if tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("%v, want %s", err, tt.want)
			}
			for _, address := range a.asked {
				if !strings.HasPrefix(address, "https://sns.us-east-1.amazonaws.com/") && !strings.HasPrefix(address, "https://sns.cn-north-1.amazonaws.com.cn/") {
					t.Errorf("%s was asked", address)
				}
			}
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

// A subscription to a topic that is wanted is confirmed, and no address but
// Amazon's is asked for it.
func TestSNSConfirmation(t *testing.T) {
	off := false
	for _, tt := range []struct {
		name   string
		config intake.SNSConfig
		m      map[string]any
		want   string
	}{
		{"wanted", intake.SNSConfig{Topics: []string{topic}}, confirmation(), ""},
		{"unverified", intake.SNSConfig{Verify: &off}, confirmation(), ""},
		{"another topic", intake.SNSConfig{Topics: []string{topic + "2"}}, confirmation(), "is not among webhook.sns.topics"},
		{"another host", intake.SNSConfig{Verify: &off}, confirmation("SubscribeURL", "https://169.254.169.254/latest/meta-data"), "SubscribeURL: is not an https address of Amazon SNS"},
		{"another action", intake.SNSConfig{}, confirmation("SubscribeURL", "https://sns.us-east-1.amazonaws.com/?Action=Unsubscribe&TopicArn="+topic), "does not confirm a subscription"},
		{"for another topic", intake.SNSConfig{}, confirmation("SubscribeURL", "https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn="+topic+"2"), "does not confirm a subscription"},
		{"without an address", intake.SNSConfig{Verify: &off}, confirmation("SubscribeURL", nil), "SubscribeURL"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := newAmazon(t, now.Add(-time.Hour), now.Add(time.Hour))
			a.sign(t, tt.m)
			out, err := intake.NewSNS(tt.config, a.get).Decode(context.Background(), snsInput(t, tt.m))
			confirmed := len(a.asked) > 0 && a.asked[len(a.asked)-1] == tt.m["SubscribeURL"]
			if len(out.Alerts) > 0 || confirmed != (tt.want == "") || tt.want == "" && err != nil {
				t.Fatalf("asked %q, %v", a.asked, err)
			}
			if tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("%v, want %s", err, tt.want)
			}
		})
	}
}

// A certificate is asked for once; one that cannot be had is no fault of the
// message.
func TestSNSCertificate(t *testing.T) {
	a := newAmazon(t, now.Add(-time.Hour), now.Add(time.Hour))
	sns := intake.NewSNS(intake.SNSConfig{}, a.get)
	m := message()
	a.sign(t, m)
	a.err = errors.New("no route")
	if _, err := sns.Decode(context.Background(), snsInput(t, m)); !errors.Is(err, intake.ErrUnreachable) {
		t.Errorf("%v, want %v", err, intake.ErrUnreachable)
	}
	a.err = nil
	var wait sync.WaitGroup
	for range 3 {
		if _, err := sns.Decode(context.Background(), snsInput(t, m)); err != nil {
			t.Error(err)
		}
	}
	for range 8 {
		wait.Go(func() {
			if _, err := sns.Decode(context.Background(), snsInput(t, maps.Clone(m))); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if len(a.asked) != 2 {
		t.Errorf("asked %q", a.asked)
	}
	for name, bad := range map[string]*amazon{
		"has ended":   newAmazon(t, now.Add(-time.Hour), now.Add(-time.Second)),
		"is to begin": newAmazon(t, now.Add(time.Second), now.Add(time.Hour)),
		"is no PEM":   {cert: []byte("hello")},
		"is a key":    {cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")})},
	} {
		_, err := intake.NewSNS(intake.SNSConfig{}, bad.get).Decode(context.Background(), snsInput(t, m))
		if err == nil || !strings.Contains(err.Error(), "SigningCertURL: ") {
			t.Errorf("a certificate that %s: %v", name, err)
		}
	}
}

// What has no signature is taken where no topics are configured, or from a sender
// with a token, or when nothing is to be verified.
func TestSNSUnsigned(t *testing.T) {
	off := false
	raw := textproto.MIMEHeader{"X-Amz-Sns-Topic-Arn": {topic}}
	for _, tt := range []struct {
		name    string
		config  intake.SNSConfig
		trusted bool
		header  textproto.MIMEHeader
		taken   bool
	}{
		{"open", intake.SNSConfig{}, false, raw, true},
		{"topics", intake.SNSConfig{Topics: []string{topic}}, false, raw, false},
		{"topics, with a token", intake.SNSConfig{Topics: []string{topic}}, true, raw, true},
		{"topics, not verified", intake.SNSConfig{Topics: []string{topic}, Verify: &off}, false, raw, true},
		{"another topic", intake.SNSConfig{Topics: []string{topic + "2"}, Verify: &off}, true, raw, false},
		{"EventBridge", intake.SNSConfig{Topics: []string{topic}}, true, nil, true},
	} {
		a := newAmazon(t, now, now)
		out, err := intake.NewSNS(tt.config, a.get).Decode(context.Background(), intake.Input{Body: []byte(alarm), Now: now, Authenticated: tt.trusted, Header: tt.header})
		if taken := err == nil && len(out.Alerts) == 1; taken != tt.taken {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

func TestSNSConfig(t *testing.T) {
	off := false
	var f setting.Faults
	(&intake.SNSConfig{Topics: []string{topic, "alarms"}, Verify: &off}).Validate(&f)
	list := f.List()
	if len(list) != 2 || list[0].Warning || !strings.Contains(list[0].Message, `"alarms" is not a topic's ARN`) || !list[1].Warning {
		t.Errorf("%v", list)
	}
}
