package kafka

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
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
	// idleTimeout is how long an idle connection is kept. Brokers close theirs
	// after ten minutes (connections.max.idle.ms), clouds' gateways after six.
	idleTimeout = 5 * time.Minute
	// maxRetries is how often a request is retried over another connection.
	// While a function was frozen, all of its connections may have been closed,
	// which it notices only on using them, one after the other.
	maxRetries = 5
	// requestTimeout is how long a response may take before the connection is
	// considered dead.
	requestTimeout = 10 * time.Second
	dialTimeout    = 5 * time.Second

	// maxBrokers is how many brokers are tried in turn for a request that any
	// broker can answer.
	maxBrokers = 2
)

// options returns the options of a client that only reads.
func options(k *lag.Kafka) ([]kgo.Opt, error) {
	opts := []kgo.Opt{
		kgo.SeedBrokers(k.Brokers...),
		kgo.ClientID("tocsin"),
		kgo.MaxVersions(versions()),
		kgo.ConnIdleTimeout(idleTimeout),
		kgo.DialTimeout(dialTimeout),
		kgo.RequestTimeoutOverhead(requestTimeout),
		kgo.RequestRetries(maxRetries),
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
	return opts, nil
}

// versions returns the newest request versions to use. OffsetFetch 10 names
// topics by ids, which takes a second request to resolve and fails for topics
// that are denied or deleted. So does Fetch 13.
func versions() *kversion.Versions {
	v := kversion.Stable()
	v.SetMaxKeyVersion(kmsg.OffsetFetch.Int16(), 9)
	v.SetMaxKeyVersion(kmsg.Fetch.Int16(), 12)
	return v
}

// backoff returns the wait before a retry.
func backoff(int) time.Duration { return 50*time.Millisecond + rand.N(50*time.Millisecond) }

// mechanism returns the login, and a function to call when the brokers rejected it,
// which drops what it has cached.
func mechanism(s *lag.KafkaSASL, lookup func(string) (string, bool), rt http.RoundTripper) (m sasl.Mechanism, rejected func()) {
	switch s.Mechanism {
	case lag.ScramSHA256:
		return scram.Auth{User: s.Username, Pass: string(s.Password)}.AsSha256Mechanism(), func() {}
	case lag.ScramSHA512:
		return scram.Auth{User: s.Username, Pass: string(s.Password)}.AsSha512Mechanism(), func() {}
	case lag.MSKIAM:
		keys := &awsKeys{lookup: lookup}
		return aws.ManagedStreamingIAM(keys.get), keys.chain.forget
	case lag.OAuthBearer:
		tokens := newTokens(s.OAuth2, rt)
		return newBearer(tokens, s.Extensions), tokens.forget
	default:
		return plain.Auth{User: s.Username, Pass: string(s.Password)}.AsMechanism(), func() {}
	}
}

// requestAnyBroker sends a request to a broker, and to another one if the first
// does not answer within half of the time. build returns a new request for
// each, because an abandoned one may still be in use.
func (r *Reader) requestAnyBroker(ctx context.Context, build func() kmsg.Request) (kmsg.Response, *Error) {
	for left := maxBrokers; ; left-- {
		brokerCtx, cancel := splitDeadline(ctx, left)
		resp, err := r.requestSeed(brokerCtx, build())
		cancel()
		if err == nil {
			return resp, nil
		}
		if e := requestError(err, r.seedNames()); e.Kind != Timeout && e.Kind != Network || left == 1 || ctx.Err() != nil {
			return nil, e
		}
	}
}

// requestSeed sends a request to some broker. The client ignores ctx while it
// opens a connection, so it runs in a goroutine that may outlive the call.
func (r *Reader) requestSeed(ctx context.Context, req kmsg.Request) (kmsg.Response, error) {
	type result struct {
		resp kmsg.Response
		err  error
	}
	done := make(chan result, 1)
	go func() {
		resp, err := r.client.Request(ctx, req)
		done <- result{resp, err}
	}()
	select {
	case res := <-done:
		return res.resp, res.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// seedNames returns the configured brokers for an error text.
func (r *Reader) seedNames() string {
	brokers := r.cluster.Kafka.Brokers
	if len(brokers) > 1 {
		return fmt.Sprintf("%s (or another of %d brokers)", brokers[0], len(brokers))
	}
	return brokers[0]
}

// requestBroker sends a request to one broker.
func requestBroker[R kmsg.Response](ctx context.Context, r *Reader, node int32, req kmsg.Request) (resp R, _ *Error) {
	response, err := r.client.Broker(int(node)).RetriableRequest(ctx, req)
	if err != nil {
		return resp, requestError(err, fmt.Sprintf("broker %d", node))
	}
	return response.(R), nil
}

// metadata requests the metadata of topics; without any, only the list of
// brokers.
func (r *Reader) metadata(ctx context.Context, topics []string) (*kmsg.MetadataResponse, *Error) {
	resp, err := r.requestAnyBroker(ctx, func() kmsg.Request {
		req := kmsg.NewPtrMetadataRequest()
		req.Topics = make([]kmsg.MetadataRequestTopic, len(topics)) // nil would request all topics
		for i := range topics {
			req.Topics[i] = kmsg.NewMetadataRequestTopic()
			req.Topics[i].Topic = &topics[i]
		}
		return req
	})
	if err != nil {
		return nil, err
	}
	m := resp.(*kmsg.MetadataResponse)
	if m.Version < 4 {
		// Kafka 0.10.2 has version 2, which also creates missing topics.
		return nil, versionError()
	}
	return m, codeError(m.ErrorCode, clusterSubject)
}

// findCoordinators sets the coordinator of each group, or its error.
func (r *Reader) findCoordinators(ctx context.Context, groups []*group) {
	byName := make(map[string]*group, len(groups))
	for _, g := range groups {
		byName[g.name] = g
		g.err = missingError(groupSubject(g.name))
	}
	resp, err := r.requestAnyBroker(ctx, func() kmsg.Request {
		req := kmsg.NewPtrFindCoordinatorRequest()
		for _, g := range groups {
			req.CoordinatorKeys = append(req.CoordinatorKeys, g.name)
		}
		return req
	})
	if err != nil {
		setErrors(groups, err)
		return
	}
	for _, c := range resp.(*kmsg.FindCoordinatorResponse).Coordinators {
		if g := byName[c.Key]; g != nil {
			g.node, g.err = c.NodeID, codeError(c.ErrorCode, groupSubject(c.Key))
		}
	}
}

func setErrors(groups []*group, err *Error) {
	for _, g := range groups {
		g.err = err
	}
}

// forEach calls do for all entries in parallel and waits for them.
func forEach[K comparable, V any](m map[K]V, do func(K, V)) {
	var calls sync.WaitGroup
	for k, v := range m {
		calls.Go(func() { do(k, v) })
	}
	calls.Wait()
}
