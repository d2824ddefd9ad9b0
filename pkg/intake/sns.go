package intake

import (
	"cmp"
	"context"
	"crypto"
	"crypto/rsa"
	_ "crypto/sha1"   // for signatures of version 1
	_ "crypto/sha256" // for signatures of version 2
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/setting"
)

// SNSConfig is the part `webhook.sns` of the configuration.
type SNSConfig struct {
	// Topics are the ARNs of the topics whose messages are accepted; default all.
	Topics []string `yaml:"topics,omitempty"`
	// Verify is whether signatures are verified; default true.
	Verify *bool `yaml:"verify,omitempty"`
}

// Validate adds the faults of c to f.
func (c *SNSConfig) Validate(f *setting.Faults) {
	for i, topic := range c.Topics {
		if parts := strings.Split(topic, ":"); len(parts) != 6 || parts[0] != "arn" || parts[2] != "sns" {
			f.In("topics", i).Addf("", "%q is not a topic's ARN: it looks like arn:aws:sns:cn-north-1:123456789012:alarms", topic)
		}
	}
	if !c.verify() {
		f.Warnf("verify", "is false: every sender can use the name of any topic")
	}
}

func (c *SNSConfig) verify() bool { return c.Verify == nil || *c.Verify }

// ErrUnreachable is returned by SNS.Decode when a certificate could not be fetched
// or a subscription not be confirmed. The message may be valid, and the sender
// should retry.
var ErrUnreachable = errors.New("cannot reach Amazon SNS")

// Fetch fetches a URL by GET without following redirects. A status other than 200 is
// an error.
type Fetch func(ctx context.Context, url string) ([]byte, error)

// SNS decodes the messages of Amazon SNS. It may be used by several goroutines.
type SNS struct {
	config SNSConfig
	fetch  Fetch
	keys   keyCache
}

// NewSNS returns a decoder that accepts the messages that c allows.
func NewSNS(c SNSConfig, fetch Fetch) *SNS { return &SNS{config: c, fetch: fetch} }

// SNSMedia returns the media types of SNS's messages.
func SNSMedia() []string { return []string{Text, JSON} }

// SNSFormats names the messages that SNS decodes.
const SNSFormats = "messages of Amazon SNS, and alarms of CloudWatch by raw delivery or from EventBridge"

const (
	// SNS retries a message for at most an hour (delivery policies: 3,600 seconds in
	// total), with the timestamp of the first attempt.
	maxAge  = time.Hour + maxSkew
	maxSkew = 5 * time.Minute
)

// Types of messages.
const (
	snsNotification = "Notification"
	snsConfirm      = "SubscriptionConfirmation"
	snsUnsubscribed = "UnsubscribeConfirmation"
)

// Decode decodes an alarm of CloudWatch or another message of a topic, and confirms a
// subscription to an allowed topic. An alarm may also come without the envelope of SNS, by raw delivery or from
// EventBridge. Such a message has no signature, so it is accepted only from an
// authenticated sender or when verification is off.
func (s *SNS) Decode(ctx context.Context, in Input) (Output, error) {
	top, err := open(in.Body)
	if err != nil {
		return Output{}, err
	}
	if !top.get("Type").present() {
		return s.decodeUnsigned(top, in)
	}
	kind, topic := top.get("Type").text(), top.get("TopicArn").required().text()
	if err := top.doc.err(); err != nil {
		return Output{}, err
	}
	if err := s.allow(topic); err != nil {
		return Output{}, err
	}
	if s.config.verify() {
		if err := s.verify(ctx, top, in.Now); err != nil {
			return Output{}, err
		}
	}
	switch kind {
	case snsNotification:
		return decodeNotification(top, in.Now)
	case snsConfirm:
		return Output{}, s.confirm(ctx, top.get("SubscribeURL").required().text(), topic)
	case snsUnsubscribed:
		return Output{}, nil
	default:
		return Output{}, errorf("Type", "unknown type %q", truncate(kind, maxQuote))
	}
}

// decodeNotification decodes the message in an envelope: an alarm, or anything else
// that Amazon's services and people publish to a topic.
func decodeNotification(top node, now time.Time) (Output, error) {
	text := top.get("Message").required().text()
	if err := top.doc.err(); err != nil {
		return Output{}, err
	}
	message, err := open([]byte(text))
	if err != nil || !isCloudWatch(message) {
		al := snsEvent(top, message, now)
		return Output{Alerts: []*alert.Alert{al}}, top.doc.err()
	}
	message.name = "Message"
	al := cloudWatch(message, now)
	return Output{Alerts: []*alert.Alert{al}}, message.doc.err()
}

// isCloudWatch reports whether a message is a CloudWatch alarm in one of its forms.
func isCloudWatch(message node) bool {
	members := message.object()
	return members["AlarmName"] != nil || members["detail-type"] == cloudWatchEvent
}

// snsEvent decodes a message that is no alarm: an event of RDS, an event of EventBridge
// such as one of AWS Health, other JSON or text. It has no recovery, and each message is
// an alert of its own.
func snsEvent(top, message node, now time.Time) *alert.Alert {
	members, _ := message.value.(map[string]any)
	text := func(name string) string { return truncate(strings.TrimSpace(anyText(members[name])), maxUnknownField) }
	arn := strings.Split(top.get("TopicArn").text(), ":") // arn:aws:sns:REGION:ACCOUNT:TOPIC
	topic := arn[len(arn)-1]

	d := newDraft(cmp.Or(text("detail-type"), text("Event Source"), top.get("Subject").text(), topic))
	d.label("topic", topic)
	if len(arn) == 6 {
		d.label("region", cmp.Or(text("region"), arn[3]))
		d.label("account", cmp.Or(text("account"), arn[4]))
	}
	detail, _ := members["detail"].(map[string]any)
	d.label("source", text("source"))
	d.label(alert.InstanceLabel, text("Source ID"))
	d.label("event_id", cmp.Or(text("id"), top.get("MessageId").text()))

	summary := cmp.Or(text("Event Message"), anyText(detail["eventTypeCode"]), top.get("Message").text())
	d.annotate(alert.SummaryAnnotation, truncate(summary, maxUnknownField))
	if resources, ok := members["resources"].([]any); ok && len(resources) > 0 {
		d.annotate("resources", truncate(anyText(members["resources"]), maxUnknownField))
	}
	d.GeneratorURL = text("Identifier Link")
	d.Timeout = true
	return d.firing(top.get("Timestamp").time(nil), now)
}

func (s *SNS) decodeUnsigned(top node, in Input) (Output, error) {
	if topic := in.Header.Get("X-Amz-Sns-Topic-Arn"); topic != "" {
		if err := s.allow(topic); err != nil {
			return Output{}, err
		}
	}
	if s.config.verify() && !in.Authenticated {
		return Output{}, errorf("", "the message is not signed: send it with a token, turn raw delivery off, or set webhook.sns.verify to false")
	}
	al := cloudWatch(top, in.Now)
	return Output{Alerts: []*alert.Alert{al}}, top.doc.err()
}

func (s *SNS) allow(topic string) error {
	if len(s.config.Topics) == 0 || slices.Contains(s.config.Topics, topic) {
		return nil
	}
	return errorf("TopicArn", "%q is not among webhook.sns.topics", truncate(topic, maxQuote))
}

// confirm confirms a subscription to the topic.
func (s *SNS) confirm(ctx context.Context, address, topic string) error {
	u, err := amazonURL("SubscribeURL", address)
	if err != nil {
		return err
	}
	if q := u.Query(); q.Get("Action") != "ConfirmSubscription" || q.Get("TopicArn") != topic {
		return errorf("SubscribeURL", "does not confirm a subscription to the topic")
	}
	if _, err := s.fetch(ctx, u.String()); err != nil {
		return fmt.Errorf("confirm the subscription to %s: %w: %w", truncate(topic, maxQuote), ErrUnreachable, err)
	}
	return nil
}

// verify checks the signature and the age of a message.
func (s *SNS) verify(ctx context.Context, top node, now time.Time) error {
	at := top.get("Timestamp").required().time(nil)
	version := top.get("SignatureVersion").required().text()
	signature, err := base64.StdEncoding.DecodeString(top.get("Signature").required().text())
	if err != nil {
		top.doc.fail("Signature", "is not base64")
	}
	signed := stringToSign(top)
	address := top.get("SigningCertURL", "SigningCertUrl").required().text()
	if err := top.doc.err(); err != nil {
		return err
	}
	hash, ok := snsHashes[version]
	if !ok {
		return errorf("SignatureVersion", "unknown version %q: 1 and 2 are supported", truncate(version, maxQuote))
	}
	if age := now.Sub(at); age > maxAge || age < -maxSkew {
		return errorf("Timestamp", "%s is not within the last hour", at.UTC().Format(time.RFC3339))
	}
	u, err := amazonURL("SigningCertURL", address)
	if err != nil {
		return err
	}
	if !strings.HasSuffix(u.Path, ".pem") || u.RawQuery != "" {
		return errorf("SigningCertURL", "is not the address of a certificate (.pem)")
	}
	key, err := s.keys.get(ctx, u.String(), now, s.fetch)
	if err != nil {
		return err
	}
	h := hash.New()
	h.Write([]byte(signed))
	if rsa.VerifyPKCS1v15(key, hash, h.Sum(nil), signature) != nil {
		return errorf("Signature", "does not match the message")
	}
	return nil
}

// amazonURL parses an address, which must be an https address of Amazon SNS at
// sns.REGION.amazonaws.com or sns.REGION.amazonaws.com.cn. The path is that of the
// error.
func amazonURL(path, address string) (*url.URL, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.User != nil || u.Fragment != "" || !isAmazonHost(u.Host) {
		return nil, errorf(path, "is not an https address of Amazon SNS, sns.REGION.amazonaws.com")
	}
	return u, nil
}

// isAmazonHost reports whether host is a host of Amazon SNS, without a port.
func isAmazonHost(host string) bool {
	region, ok := strings.CutPrefix(host, "sns.")
	if !ok {
		return false
	}
	region = strings.TrimSuffix(region, ".cn")
	region, ok = strings.CutSuffix(region, ".amazonaws.com")
	return ok && region != "" && strings.Trim(region, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

// snsHashes are the hashes of signatures, by signature version.
var snsHashes = map[string]crypto.Hash{"1": crypto.SHA1, "2": crypto.SHA256}

// The signed fields of a message in their order, by its type
// (sns/latest/dg/sns-verify-signature-of-message.html).
var (
	signedNotification = []string{"Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"}
	signedConfirmation = []string{"Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"}
)

// stringToSign returns the name and the value of each signed field that is present,
// each on a line.
func stringToSign(top node) string {
	names := signedConfirmation
	if top.get("Type").text() == snsNotification {
		names = signedNotification
	}
	var b strings.Builder
	for _, name := range names {
		if n := top.get(name); n.present() {
			b.WriteString(name + "\n" + n.text() + "\n")
		}
	}
	return b.String()
}

// maxKeys is the number of cached keys. A region has one key, and two while it is
// replaced.
const maxKeys = 64

// keyCache caches the public keys of certificates by their address.
type keyCache struct {
	mu   sync.Mutex
	keys map[string]snsKey
}

type snsKey struct {
	*rsa.PublicKey
	notBefore, notAfter time.Time
}

// get returns the key of the certificate at an address, and fetches it unless it is
// cached.
func (c *keyCache) get(ctx context.Context, address string, now time.Time, fetch Fetch) (*rsa.PublicKey, error) {
	c.mu.Lock()
	key, ok := c.keys[address]
	c.mu.Unlock()
	if !ok {
		text, err := fetch(ctx, address)
		if err != nil {
			return nil, fmt.Errorf("fetch the certificate of the signature: %w: %w", ErrUnreachable, err)
		}
		if key, ok = parseKey(text); !ok {
			return nil, errorf("SigningCertURL", "is not the address of a certificate with an RSA key")
		}
	}
	if now.Before(key.notBefore) || now.After(key.notAfter) {
		return nil, errorf("SigningCertURL", "the certificate is not valid now")
	}
	c.add(address, key)
	return key.PublicKey, nil
}

func (c *keyCache) add(address string, key snsKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.keys == nil || len(c.keys) >= maxKeys {
		c.keys = map[string]snsKey{}
	}
	c.keys[address] = key
}

func parseKey(text []byte) (snsKey, bool) {
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" {
		return snsKey{}, false
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return snsKey{}, false
	}
	key, ok := cert.PublicKey.(*rsa.PublicKey)
	return snsKey{key, cert.NotBefore, cert.NotAfter}, ok
}
