package ckafka

import (
	"errors"
	"fmt"
	"slices"
	"testing"
)

func TestReadPagesResults(t *testing.T) {
	type page struct {
		total int64
		names []string
		err   error
	}
	broken := errors.New("broken")
	tests := []struct {
		name     string
		pages    []page
		want     []string
		complete bool
		err      error
	}{
		{"empty", []page{{total: 0}}, nil, true, nil},
		{"one page", []page{{2, []string{"a", "b"}, nil}}, []string{"a", "b"}, true, nil},
		{"three pages", []page{{3, []string{"a"}, nil}, {3, []string{"b"}, nil}, {3, []string{"c"}, nil}}, []string{"a", "b", "c"}, true, nil},
		{"list grew", []page{{2, []string{"a"}, nil}, {3, []string{"b"}, nil}, {3, []string{"c"}, nil}}, []string{"a", "b", "c"}, false, nil},
		{"list shrank and an item was skipped", []page{{3, []string{"a"}, nil}, {2, []string{"c"}, nil}}, []string{"a", "c"}, false, nil},
		{"item moved and came twice", []page{{3, []string{"a", "b"}, nil}, {3, []string{"b"}, nil}}, []string{"a", "b"}, false, nil},
		{"list ends before TotalCount", []page{{3, []string{"a"}, nil}, {3, nil, nil}}, []string{"a"}, false, nil},
		{"same page repeatedly", []page{{9, []string{"a"}, nil}, {9, []string{"a"}, nil}}, []string{"a"}, false, nil},
		{"item without a name", []page{{2, []string{"a", ""}, nil}}, []string{"a"}, false, nil},
		{"error at the first page", []page{{err: broken}}, nil, false, broken},
		{"error at the second page", []page{{2, []string{"a"}, nil}, {err: broken}}, []string{"a"}, false, broken},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var offsets []int64
			got, complete, err := readPages(func(offset int64) (int64, []string, error) {
				offsets = append(offsets, offset)
				p := tt.pages[len(offsets)-1]
				return p.total, p.names, p.err
			}, func(s string) string { return s })
			if !slices.Equal(got, tt.want) || complete != tt.complete || err != tt.err {
				t.Errorf("readPages = %q, %t, %v; want %q, %t, %v", got, complete, err, tt.want, tt.complete, tt.err)
			}
			next := int64(0)
			for i, offset := range offsets {
				if offset != next {
					t.Errorf("offset of page %d = %d, want %d", i+1, offset, next)
				}
				next += int64(len(tt.pages[i].names))
			}
			if len(offsets) != len(tt.pages) {
				t.Errorf("%d pages were read, want %d", len(offsets), len(tt.pages))
			}
		})
	}
}

func TestReadPagesIsBounded(t *testing.T) {
	pages := 0
	list, complete, err := readPages(func(offset int64) (int64, []string, error) {
		pages++
		return offset + 2, []string{fmt.Sprint(offset)}, nil
	}, func(s string) string { return s })
	if pages != maxPages || len(list) != maxPages || complete || err != nil {
		t.Errorf("%d pages, %d names, complete = %t, error = %v; want %d, %d, false, none", pages, len(list), complete, err, maxPages, maxPages)
	}
}
