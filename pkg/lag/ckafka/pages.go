package ckafka

const (
	// pageSize is the most topics that the vendor puts on a page; for groups it
	// documents no limit, and 50 is taken.
	pageSize = 50
	// maxPages ends a list that has no end.
	maxPages = 400
)

// pages reads a list to its end. read returns the page at an offset and how long
// the whole list is. The list is complete when it held still meanwhile: if its
// length changed, something may have moved from a page to one that was read
// before.
func pages[T any](read func(offset int64) (total int64, page []T, err error), name func(T) string) (list []T, complete bool, err error) {
	seen := map[string]bool{}
	whole, length, offset := true, int64(0), int64(0)
	for n := range maxPages {
		total, page, err := read(offset)
		if err != nil {
			return list, false, err
		}
		whole = whole && (n == 0 || total == length)
		length, offset = total, offset+int64(len(page))
		before := len(list)
		for _, item := range page {
			key := name(item)
			if key == "" {
				whole = false
			} else if !seen[key] {
				seen[key] = true
				list = append(list, item)
			}
		}
		if offset >= length {
			return list, whole && int64(len(list)) == length, nil
		}
		if len(list) == before {
			return list, false, nil // short of its own length, or the same page again
		}
	}
	return list, false, nil
}
