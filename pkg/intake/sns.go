package intake

import (
	"context"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/setting"
)

// SNSConfig is `webhook.sns` of the configuration.
type SNSConfig struct {
	// Topics are the ARNs of the topics whose messages are taken; default all.
	Topics []string `yaml:"topics,omitempty"`
	// Verify is whether signatures are verified; default true.
	Verify *bool `yaml:"verify,omitempty"`
}

// Validate adds what is wrong with c to f.
func (c *SNSConfig) Validate(f *setting.Faults) {
	for i, topic := range c.Topics {
		if parts := strings.Split(topic, ":"); len(parts) != 6 || parts[0] != "arn" || parts[2] != "sns" {
			f.In("topics", i).Addf("", "%q is not a topic's ARN: it looks like arn:aws:sns:cn-north-1:123456789012:alarms", topic)
		}
	}
	if !c.verify() {
		f.Warnf("verify", "is false: whoever may send can send in the name of any topic")
	}
}

func (c *SNSConfig) verify() bool { return c.Verify == nil || *c.Verify }

// ErrUnreachable is wrapped by what SNS.Decode returns when Amazon could not be
// asked for a certificate or a confirmation: the message may be good, and the
// sender shall try again.
var ErrUnreachable = errors.New("SNS of Amazon cannot be reached")

// Get fetches what a URL leads to, by GET and without following redirects; an
// answer other than 200 is an error.
type Fetch func(ctx context.Context, url string) ([]byte, error)

// SNS takes the messages of Amazon SNS. It may be used by several goroutines.
type SNS struct {
	config SNSConfig
	get    Fetch
	keys   keys
}

// NewSNS returns what takes messages as c allows.
func NewSNS(c SNSConfig, get Fetch) *SNS { return &SNS{config: c, get: get} }

// SNSMedia are the media types of its messages.
func SNSMedia() []string { return []string{Text, JSON} }

const (
	// A message that was not taken is repeated for an hour at most (SNS delivery
	// policies: 3,600 seconds in all), with its first timestamp.
	maxAge  = time.Hour + maxSkew
	maxSkew = 5 * time.Minute
)

// Types of messages.
const (
	snsNotification = "Notification"
	snsConfirm      = "SubscriptionConfirmation"
	snsUnsubscribed = "UnsubscribeConfirmation"
)

// Decode reads a message: an alarm of CloudWatch; or the question whether the
// subscription is wanted, which it answers. The alarm may also come without its
// envelope: by raw delivery, or from EventBridge. Nothing shows where such a
// message is from, so where topics are configured it is taken only from a sender
// with a token, or when nothing is to be verified.
func (s *SNS) Decode(ctx context.Context, in Input) (Output, error) {
	top, err := open(in.Body)
	if err != nil {
		return Output{}, err
	}
	if !top.get("Type").is() {
		return s.unsigned(top, in)
	}
	kind, topic := top.get("Type").text(), top.get("TopicArn").need().text()
	if err := top.doc.fault(); err != nil {
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
		return notification(top, in.Now)
	case snsConfirm:
		return Output{}, s.confirm(ctx, top.get("SubscribeURL").need().text(), topic)
	case snsUnsubscribed:
		return Output{}, nil
	default:
		return Output{}, faultf("Type", "%q is not known", cut(kind, maxQuote))
	}
}

func notification(top node, now time.Time) (Output, error) {
	message, err := open([]byte(top.get("Message").need().text()))
	if err != nil {
		var fault *Error
		if errors.As(err, &fault) {
			fault.Path = strings.TrimSuffix("Message: "+fault.Path, ": ")
		}
		return Output{}, err
	}
	message.name = "Message"
	al := cloudWatch(message, now)
	return Output{Alerts: []*alert.Alert{al}}, message.doc.fault()
}

func (s *SNS) unsigned(top node, in Input) (Output, error) {
	if topic := in.Header.Get("X-Amz-Sns-Topic-Arn"); topic != "" {
		if err := s.allow(topic); err != nil {
			return Output{}, err
		}
	}
	if len(s.config.Topics) > 0 && s.config.verify() && !in.Authenticated {
		return Output{}, faultf("", "is not signed: send it with a token, or turn raw delivery off, or set webhook.sns.verify to false")
	}
	al := cloudWatch(top, in.Now)
	return Output{Alerts: []*alert.Alert{al}}, top.doc.fault()
}

func (s *SNS) allow(topic string) error {
	if len(s.config.Topics) == 0 || slices.Contains(s.config.Topics, topic) {
		return nil
	}
	return faultf("TopicArn", "%q is not among webhook.sns.topics", cut(topic, maxQuote))
}

// confirm tells Amazon that the subscription is wanted.
func (s *SNS) confirm(ctx context.Context, address, topic string) error {
	u, err := amazonURL("SubscribeURL", address)
	if err != nil {
		return err
	}
	if q := u.Query(); q.Get("Action") != "ConfirmSubscription" || q.Get("TopicArn") != topic {
		return faultf("SubscribeURL", "does not confirm a subscription to the topic")
	}
	if _, err := s.get(ctx, u.String()); err != nil {
		return fmt.Errorf("confirm the subscription to %s: %w: %w", cut(topic, maxQuote), ErrUnreachable, err)
	}
	return nil
}

// verify checks that Amazon sent the message, and not long ago.
func (s *SNS) verify(ctx context.Context, top node, now time.Time) error {
	at := top.get("Timestamp").need().time(nil)
	version := top.get("SignatureVersion").need().text()
	signature, err := base64.StdEncoding.DecodeString(top.get("Signature").need().text())
	if err != nil {
		top.doc.fail("Signature", "is not base64")
	}
	signed := stringToSign(top)
	address := top.get("SigningCertURL", "SigningCertUrl").need().text()
	if err := top.doc.fault(); err != nil {
		return err
	}
	hash, ok := snsHashes[version]
	if !ok {
		return faultf("SignatureVersion", "%q is not known: 1 and 2 are", cut(version, maxQuote))
	}
	if age := now.Sub(at); age > maxAge || age < -maxSkew {
		return faultf("Timestamp", "%s is not of the last hour", at.UTC().Format(time.RFC3339))
	}
	u, err := amazonURL("SigningCertURL", address)
	if err != nil {
		return err
	}
	if !strings.HasSuffix(u.Path, ".pem") || u.RawQuery != "" {
		return faultf("SigningCertURL", "does not lead to a certificate (.pem)")
	}
	key, err := s.keys.at(ctx, u.String(), now, s.get)
	if err != nil {
		return err
	}
	h := hash.New()
	h.Write([]byte(signed))
	if rsa.VerifyPKCS1v15(key, hash, h.Sum(nil), signature) != nil {
		return faultf("Signature", "does not fit the message")
	}
	return nil
}

// amazonURL parses an address and makes sure that it is one of Amazon SNS:
// https, sns.REGION.amazonaws.com or sns.REGION.amazonaws.com.cn.
func amazonURL(where, address string) (*url.URL, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.User != nil || u.Fragment != "" || !amazonHost(u.Host) {
		return nil, faultf(where, "is not an https address of Amazon SNS, sns.REGION.amazonaws.com")
	}
	return u, nil
}

func amazonHost(host string) bool {
	region, ok := strings.CutPrefix(host, "sns.")
	if !ok {
		return false
	}
	region = strings.TrimSuffix(region, ".cn")
	region, ok = strings.CutSuffix(region, ".amazonaws.com")
	return ok && region != "" && strings.Trim(region, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}
