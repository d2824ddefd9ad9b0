package ckafka

import (
	"context"
	"errors"
	"sync"

	"golang.org/x/sync/errgroup"

	"tocsin/pkg/lag"
	"tocsin/pkg/tencent"
)

// Verify implements lag.Verifier for groups that the list left out, with two requests for
// each: one about its state, unless that is "Dead" one for its offsets. One that the API
// refuses to describe is gone; when the API does not answer, that is not known. Topics
// that a group's offsets left out are gone.
func (r *Reader) Verify(ctx context.Context, missing []lag.Group) (found []lag.Group) {
	var reads errgroup.Group
	reads.SetLimit(concurrency)
	var mu sync.Mutex
	for _, g := range missing {
		if len(g.Topics) > 0 {
			continue
		}
		reads.Go(func() error {
			group := r.verifyGroup(ctx, g.Name)
			mu.Lock()
			defer mu.Unlock()
			if group.Err != nil || len(group.Topics) > 0 {
				found = append(found, group)
			}
			return nil
		})
	}
	reads.Wait()
	return found
}

// verifyGroup reads a group; without topics and Err it is gone.
func (r *Reader) verifyGroup(ctx context.Context, name string) lag.Group {
	response, err := call[infoResponse](ctx, r, describeGroupInfo, params{GroupList: []string{name}})
	if err != nil {
		return lag.Group{Name: name, Err: temporary(err)}
	}
	for _, info := range response.Result {
		if info.Group == name && info.State != "Dead" && (info.ErrorCode == "0" || info.ErrorCode == "") {
			group := r.readGroup(ctx, name)
			group.Err = temporary(group.Err)
			return group
		}
	}
	return lag.Group{Name: name}
}

// temporary returns err if it says nothing about the group, else nil.
func temporary(err error) error {
	if e, ok := errors.AsType[*tencent.Error](err); ok {
		switch e.Kind {
		case tencent.Rate, tencent.Network, tencent.Timeout, tencent.Credentials:
			return err
		}
	}
	return nil
}
