// Package ckafka reads consumer lag from a CKafka instance through Tencent
// Cloud's API. It needs no route into the instance's network. Its key needs the
// permissions ckafka:DescribeGroup and ckafka:DescribeGroupOffsets, and for rules
// about the status of consumers ckafka:DescribeGroupInfo.
package ckafka

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"tocsin/pkg/lag"
	"tocsin/pkg/tencent"
)

const (
	defaultEndpoint = "https://ckafka.tencentcloudapi.com"

	// concurrency bounds how many responses are in memory at a time.
	concurrency = 8
	// The vendor allows an account 100 requests a second of each action. A
	// reader never makes more than perSecond + burst; where several readers of
	// one account exceed the limit together, they retry.
	perSecond, burst = 50, 40
)

// The actions called.
var (
	describeGroup        = tencent.Action{Product: "ckafka", Version: "2019-08-19", Name: "DescribeGroup"}
	describeGroupOffsets = tencent.Action{Product: "ckafka", Version: "2019-08-19", Name: "DescribeGroupOffsets"}
	describeGroupInfo    = tencent.Action{Product: "ckafka", Version: "2019-08-19", Name: "DescribeGroupInfo"}
)

// Reader reads one instance. It is safe for concurrent use.
type Reader struct {
	client  *tencent.Client
	limiter *tencent.Limiter
	cluster lag.Cluster

	mu sync.Mutex
	// next is the name of the group to read first: the first one for which the last
	// Read had no time.
	next string
}

var (
	_ lag.Reader    = (*Reader)(nil)
	_ lag.Describer = (*Reader)(nil)
	_ lag.Verifier  = (*Reader)(nil)
)

// New returns a Reader of the instance that c.CKafka names. credential
// provides the key unless the instance has one of its own. Requests are sent through
// rt; nil is http.DefaultTransport.
func New(c lag.Cluster, credential tencent.Credential, rt http.RoundTripper) (*Reader, error) {
	endpoint := c.CKafka.Endpoint
	if endpoint == "" {
		endpoint = defaultEndpoint
	}
	if c.CKafka.SecretID != "" {
		credential = tencent.Credential{ID: c.CKafka.SecretID, Secret: c.CKafka.SecretKey}
	}
	client, err := tencent.NewClient(endpoint, c.CKafka.Region, credential, rt)
	if err != nil {
		return nil, fmt.Errorf("cluster %s: %w", c.Name, err)
	}
	return &Reader{client: client, limiter: tencent.NewLimiter(perSecond, burst), cluster: c}, nil
}

// Read reads the offsets of the groups that the cluster's filter selects. It makes
// one request for every 50 groups, none when the filter names them all, and one
// for every 50 topics of a group. When ctx ends, the groups that are not read yet
// have an Err, and the next Read begins with them; the first one begins with any. Its
// errors are *tencent.Error.
func (r *Reader) Read(ctx context.Context) (*lag.Snapshot, error) {
	names, complete, err := r.groupNames(ctx)
	if err != nil {
		return nil, err
	}
	groups := make([]lag.Group, len(names))
	first := r.firstGroup(names)
	var reads errgroup.Group
	reads.SetLimit(concurrency)
	for n := range names {
		i := (first + n) % len(names)
		reads.Go(func() error {
			groups[i] = r.readGroup(ctx, names[i])
			return nil
		})
	}
	reads.Wait()
	r.setNext(groups, first)
	if err := sharedError(groups); err != nil {
		return nil, err
	}
	return &lag.Snapshot{Groups: groups, Complete: complete, StartOffsetUnknown: true}, nil
}

// firstGroup returns the index of the group to read first.
func (r *Reader) firstGroup(names []string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	if i := slices.Index(names, r.next); i >= 0 {
		return i
	}
	return rand.N(max(len(names), 1))
}

// setNext remembers the first group that was not read in time.
func (r *Reader) setNext(groups []lag.Group, first int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.next = ""
	for n := range groups {
		g := &groups[(first+n)%len(groups)]
		if e, ok := errors.AsType[*tencent.Error](g.Err); ok && e.Kind == tencent.Timeout {
			r.next = g.Name
			return
		}
	}
}

// groupNames returns the names of the selected groups, and whether the list is
// complete.
func (r *Reader) groupNames(ctx context.Context) (names []string, complete bool, err error) {
	if names, ok := r.cluster.Groups.Literals(); ok {
		return names, true, nil
	}
	names, complete, err = readPages(func(offset int64) (total int64, names []string, err error) {
		response, err := call[groupsResponse](ctx, r, describeGroup, params{Offset: offset, Limit: pageSize})
		if err != nil {
			return 0, nil, err
		}
		for _, g := range response.Result.GroupList {
			names = append(names, g.Group)
		}
		return *response.Result.TotalCount, names, nil
	}, func(name string) string { return name })
	if err != nil {
		return nil, false, err
	}
	return slices.DeleteFunc(names, func(name string) bool { return !r.cluster.Groups.Match(name) }), complete, nil
}

// readGroup reads the selected topics of one group.
func (r *Reader) readGroup(ctx context.Context, name string) lag.Group {
	topics, complete, err := readPages(func(offset int64) (total int64, topics []lag.Topic, err error) {
		response, err := call[offsetsResponse](ctx, r, describeGroupOffsets, params{Group: name, Offset: offset, Limit: pageSize})
		if err != nil {
			return 0, nil, err
		}
		topics = make([]lag.Topic, len(response.Result.TopicList))
		for i, t := range response.Result.TopicList {
			topics[i] = t.topic()
		}
		return *response.Result.TotalCount, topics, nil
	}, func(t lag.Topic) string { return t.Name })
	topics = slices.DeleteFunc(topics, func(t lag.Topic) bool { return !r.cluster.Topics.Match(t.Name) })
	return lag.Group{Name: name, Topics: topics, Complete: complete, Err: err}
}

// sharedError returns the error for which no group could be read, so that it is
// reported once; nil if a group was read or there were errors of several kinds.
func sharedError(groups []lag.Group) error {
	var first *tencent.Error
	for _, g := range groups {
		e, failed := g.Err.(*tencent.Error) //nolint:errorlint // a wrapped one is about its group
		if !failed || len(g.Topics) > 0 {
			return nil
		}
		if first == nil {
			first = e
		}
		if e.Kind != first.Kind {
			return nil
		}
	}
	if first == nil {
		return nil
	}
	return first
}
