package store

import (
	"context"
	"iter"
)

// Pages yields all items whose keys begin with prefix, in byte order of keys and
// up to size of them at a time. It reads the next page only when the caller goes
// on, so that items written meanwhile may be among them. An error is yielded last,
// with no items.
func Pages(ctx context.Context, s Store, prefix string, size int) iter.Seq2[[]Item, error] {
	return func(yield func([]Item, error) bool) {
		for after := ""; ; {
			page, err := s.List(ctx, prefix, after, size)
			if err != nil {
				yield(nil, err)
				return
			}
			if len(page) == 0 || !yield(page, nil) || len(page) < size {
				return
			}
			after = page[len(page)-1].Key
		}
	}
}
