package store

import (
	"context"
	"iter"
)

// Pages yields all items whose keys begin with prefix, in byte order of keys, up to size
// of them at a time. Each page is read when the caller asks for it, so that later pages
// may have items written after the first was read. An error ends the iteration and is
// yielded without items.
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
