package ckafka

import (
	"context"

	"tocsin/pkg/tencent"
)

// params are the parameters of the actions, as far as they are set.
type params struct {
	InstanceId    string
	Group         string   `json:",omitempty"`
	GroupList     []string `json:",omitempty"`
	Offset, Limit int64    `json:",omitzero"`
}

// call makes one request within the rate limit, and retries it after a temporary
// error.
func call[R any, P interface {
	*R
	tencent.Response
}](ctx context.Context, r *Reader, action tencent.Action, p params) (response P, err error) {
	p.InstanceId = r.cluster.CKafka.InstanceID
	err = tencent.Retry(ctx, func(ctx context.Context) error {
		if err := r.limiter.Wait(ctx); err != nil {
			return tencent.DeadlineError(action, err)
		}
		response = new(R) // the response of a failed attempt may hold a part of an answer
		return r.client.Call(ctx, action, p, response)
	})
	return response, err
}

const (
	// pageSize is the vendor's maximum for topics; for groups it documents none,
	// and 50 works.
	pageSize = 50
	// maxPages bounds the reading of one list.
	maxPages = 400
)

// readPages reads a list to its end. read returns the page at an offset and the
// length of the whole list. The list is complete when its length stayed the same
// meanwhile: if it changed, an item may have moved to a page that was read before.
func readPages[T any](read func(offset int64) (total int64, page []T, err error), name func(T) string) (list []T, complete bool, err error) {
	seen := map[string]bool{}
	consistent, length, offset := true, int64(0), int64(0)
	for n := range maxPages {
		total, page, err := read(offset)
		if err != nil {
			return list, false, err
		}
		consistent = consistent && (n == 0 || total == length)
		length, offset = total, offset+int64(len(page))
		before := len(list)
		for _, item := range page {
			key := name(item)
			if key == "" {
				consistent = false
			} else if !seen[key] {
				seen[key] = true
				list = append(list, item)
			}
		}
		if offset >= length {
			return list, consistent && int64(len(list)) == length, nil
		}
		if len(list) == before {
			return list, false, nil // shorter than its TotalCount, or the same page again
		}
	}
	return list, false, nil
}
