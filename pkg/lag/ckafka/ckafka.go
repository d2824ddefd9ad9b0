// Package ckafka reads consumer lag from a CKafka instance through Tencent
// Cloud's API, with the official SDK. It needs no way into the instance's network;
// its key needs the permissions ckafka:DescribeGroup and
// ckafka:DescribeGroupOffsets, and for rules about the status of consumers
// ckafka:DescribeGroupInfo.
package ckafka

import (
	"context"
	"fmt"
	"net/http"
	"sync"

	sdk "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common"

	"tocsin/pkg/lag"
	"tocsin/pkg/tencent"
)

const (
	defaultEndpoint = "https://ckafka.tencentcloudapi.com"

	// concurrency bounds the answers that are in memory at a time.
	concurrency = 8
	// The vendor allows an account 100 requests a second of each action. A
	// reader never makes more than perSecond + burst; where several readers of
	// one account exceed the limit together, asking again helps.
	perSecond, burst = 50, 40
)

// Reader reads one instance. It is safe for concurrent use.
type Reader struct {
	client  *sdk.Client
	key     tencent.Credential
	limiter *tencent.Limiter
	cluster lag.Cluster
}

var (
	_ lag.Reader    = (*Reader)(nil)
	_ lag.Describer = (*Reader)(nil)
)

// New returns a Reader of the instance that c.CKafka names. key signs the
// requests unless the instance has a key of its own. Requests travel by rt; nil
// is http.DefaultTransport.
func New(c lag.Cluster, key tencent.Credential, rt http.RoundTripper) (*Reader, error) {
	endpoint := c.CKafka.Endpoint
	if endpoint == "" {
		endpoint = defaultEndpoint
	}
	if c.CKafka.SecretID != "" {
		key = tencent.Credential{ID: c.CKafka.SecretID, Key: c.CKafka.SecretKey}
	}
	profile, err := tencent.Profile(endpoint)
	if err != nil {
		return nil, fmt.Errorf("cluster %s: %w", c.Name, err)
	}
	client := sdk.NewCommonClient(key, c.CKafka.Region, profile).WithHttpTransport(tencent.Transport(rt))
	return &Reader{client: client, key: key, limiter: tencent.NewLimiter(perSecond, burst), cluster: c}, nil
}

// Read reads the offsets of the groups that the cluster's filter chooses. It makes
// one request for every 50 groups, none when the filter names them all, and one
// for every 50 topics of a group. What it has read when ctx ends it returns, and
// the groups that are left have an Err. Its errors are *tencent.Error.
func (r *Reader) Read(ctx context.Context) (*lag.Snapshot, error) {
	names, complete, err := r.groups(ctx)
	if err != nil {
		return nil, err
	}
	groups := make([]lag.Group, len(names))
	turns := make(chan int)
	var workers sync.WaitGroup
	for range min(concurrency, len(names)) {
		workers.Go(func() {
			for i := range turns {
				groups[i] = r.group(ctx, names[i])
			}
		})
	}
	for i := range names {
		turns <- i
	}
	close(turns)
	workers.Wait()
	if err := common(groups); err != nil {
		return nil, err
	}
	return &lag.Snapshot{Groups: groups, Complete: complete, StartOffsetUnknown: true}, nil
}

// common returns the error that kept every group from being read, so that it is
// told once; nil if something was read or there were several reasons.
func common(groups []lag.Group) error {
	var first *tencent.Error
	for _, g := range groups {
		e, failed := g.Err.(*tencent.Error)
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
