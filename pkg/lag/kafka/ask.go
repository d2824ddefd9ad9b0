package kafka

import (
	"context"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// tries is how many brokers are asked, one after the other, what every broker
// knows.
const tries = 2

// anybody asks a broker, and when it does not answer in half of the time another
// one. Each has a request of its own, because one that was given up may still be
// on its way.
func (r *Reader) anybody(ctx context.Context, build func() kmsg.Request) (kmsg.Response, *Error) {
	for left := tries; ; left-- {
		own, cancel := share(ctx, left)
		resp, err := r.request(own, build())
		cancel()
		if err == nil {
			return resp, nil
		}
		if e := unanswered(err, r.who()); e.Kind != Timeout && e.Kind != Network || left == 1 || ctx.Err() != nil {
			return nil, e
		}
	}
}

// request asks a broker. The client does not see the end of ctx while it opens a
// connection, so that it is left alone with it.
func (r *Reader) request(ctx context.Context, req kmsg.Request) (kmsg.Response, error) {
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

// who names the brokers that are in the configuration.
func (r *Reader) who() string {
	brokers := r.cluster.Kafka.Brokers
	if len(brokers) > 1 {
		return fmt.Sprintf("%s (or another of %d brokers)", brokers[0], len(brokers))
	}
	return brokers[0]
}

// ask asks one broker.
func ask[R kmsg.Response](ctx context.Context, r *Reader, node int32, req kmsg.Request) (resp R, _ *Error) {
	answer, err := r.client.Broker(int(node)).RetriableRequest(ctx, req)
	if err != nil {
		return resp, unanswered(err, fmt.Sprintf("broker %d", node))
	}
	return answer.(R), nil
}

// metadata asks where topics are, and with none which brokers there are.
func (r *Reader) metadata(ctx context.Context, topics []string) (*kmsg.MetadataResponse, *Error) {
	resp, err := r.anybody(ctx, func() kmsg.Request {
		req := kmsg.NewPtrMetadataRequest()
		req.Topics = make([]kmsg.MetadataRequestTopic, len(topics)) // nil would be all
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
		// Kafka 0.10.2 knows version 2. It would also create a topic that is
		// only asked about.
		return nil, tooOld()
	}
	return m, refused(m.ErrorCode, theCluster)
}

// coordinate finds out which brokers keep the offsets of groups.
func (r *Reader) coordinate(ctx context.Context, groups []*group) {
	byName := make(map[string]*group, len(groups))
	for _, g := range groups {
		byName[g.name] = g
		g.err = senseless(theGroup(g.name))
	}
	resp, err := r.anybody(ctx, func() kmsg.Request {
		req := kmsg.NewPtrFindCoordinatorRequest()
		for _, g := range groups {
			req.CoordinatorKeys = append(req.CoordinatorKeys, g.name)
		}
		return req
	})
	if err != nil {
		fail(groups, err)
		return
	}
	for _, c := range resp.(*kmsg.FindCoordinatorResponse).Coordinators {
		if g := byName[c.Key]; g != nil {
			g.node, g.err = c.NodeID, refused(c.ErrorCode, theGroup(c.Key))
		}
	}
}

// fail gives groups an error.
func fail(groups []*group, err *Error) {
	for _, g := range groups {
		g.err = err
	}
}

// each calls do for every entry at the same time, and waits for all.
func each[K comparable, V any](m map[K]V, do func(K, V)) {
	var all sync.WaitGroup
	for k, v := range m {
		all.Go(func() { do(k, v) })
	}
	all.Wait()
}
