package kafka

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/aws"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"tocsin/pkg/lag"
)

const (
	// idle is how long a connection is kept that nothing is asked over. Brokers
	// end theirs after ten minutes (connections.max.idle.ms), clouds' gateways
	// after six.
	idle = 5 * time.Minute
	// retries is how often a request is made again over another connection. Of
	// a function that was frozen all may have been cut meanwhile, which shows
	// only when they are used, one after the other.
	retries = 5
	// answerTime is how long a connection may be silent before it is taken for
	// dead, and dialTime how long it may take to come about.
	answerTime, dialTime = 10 * time.Second, 5 * time.Second
)

// options returns the options of a client that reads and does nothing else.
func options(k *lag.Kafka, lookup func(string) (string, bool)) ([]kgo.Opt, error) {
	opts := []kgo.Opt{
		kgo.SeedBrokers(k.Brokers...),
		kgo.ClientID("tocsin"),
		kgo.MaxVersions(versions()),
		kgo.ConnIdleTimeout(idle),
		kgo.DialTimeout(dialTime),
		kgo.RequestTimeoutOverhead(answerTime),
		kgo.RequestRetries(retries),
		kgo.RetryBackoffFn(backoff),
		kgo.DisableClientMetrics(),
	}
	if k.TLS != nil {
		config, err := k.TLS.Config()
		if err != nil {
			return nil, err
		}
		opts = append(opts, kgo.DialTLSConfig(config))
	}
	if k.SASL != nil {
		opts = append(opts, kgo.SASL(mechanism(k.SASL, lookup)))
	}
	return opts, nil
}

// versions are the newest versions of requests that are made. OffsetFetch 10
// names topics by an id, which needs a second request to become a name and has
// none for a topic that is denied or was deleted.
func versions() *kversion.Versions {
	v := kversion.Stable()
	v.SetMaxKeyVersion(kmsg.OffsetFetch.Int16(), 9)
	return v
}

// backoff is the wait before a request is made again.
func backoff(int) time.Duration { return 50*time.Millisecond + rand.N(50*time.Millisecond) }

func mechanism(s *lag.KafkaSASL, lookup func(string) (string, bool)) sasl.Mechanism {
	switch s.Mechanism {
	case lag.ScramSHA256:
		return scram.Auth{User: s.Username, Pass: string(s.Password)}.AsSha256Mechanism()
	case lag.ScramSHA512:
		return scram.Auth{User: s.Username, Pass: string(s.Password)}.AsSha512Mechanism()
	case lag.MSKIAM:
		return aws.ManagedStreamingIAM(func(context.Context) (aws.Auth, error) { return roleKey(lookup) })
	default:
		return plain.Auth{User: s.Username, Pass: string(s.Password)}.AsMechanism()
	}
}

// errNoKey says that MSK IAM has nothing to sign with.
var errNoKey = errors.New("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set")

// roleKey returns the key in the environment, which is the one of a function's
// role; the platform renews it while the function lives.
func roleKey(lookup func(string) (string, bool)) (aws.Auth, error) {
	var auth aws.Auth
	if lookup == nil {
		return auth, errNoKey
	}
	auth.AccessKey, _ = lookup("AWS_ACCESS_KEY_ID")
	auth.SecretKey, _ = lookup("AWS_SECRET_ACCESS_KEY")
	auth.SessionToken, _ = lookup("AWS_SESSION_TOKEN")
	if auth.AccessKey == "" || auth.SecretKey == "" {
		return auth, errNoKey
	}
	return auth, nil
}
