package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"tocsin/pkg/store"
	"tocsin/pkg/store/memory"
)

// failingList is a store whose List fails after some calls.
type failingList struct {
	store.Store
	calls, failAfter int
}

var errList = errors.New("list failed")

func (f *failingList) List(ctx context.Context, prefix, after string, limit int) ([]store.Item, error) {
	if f.calls++; f.calls > f.failAfter {
		return nil, errList
	}
	return f.Store.List(ctx, prefix, after, limit)
}

func TestPages(t *testing.T) {
	s := memory.New()
	defer s.Close()
	for i := range 5 {
		if err := s.Commit(t.Context(), noon, store.Change{Key: fmt.Sprintf("a/%d", i), Value: []byte{}}, store.Change{Key: fmt.Sprintf("ab/%d", i), Value: []byte{}}); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		name            string
		prefix          string
		size, failAfter int
		stopAfter       int // pages
		want            []int
		calls           int
		err             error
	}{
		{"several pages, the last one short", "a/", 2, 9, 9, []int{2, 2, 1}, 3, nil},
		{"a last page that is full is followed by an empty read", "a/", 5, 9, 9, []int{5}, 2, nil},
		{"no items", "b/", 2, 9, 9, nil, 1, nil},
		{"no read after the caller stops", "a/", 2, 9, 1, []int{2}, 1, nil},
		{"an error ends the pages", "a/", 2, 1, 9, []int{2}, 2, errList},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := &failingList{Store: s, failAfter: test.failAfter}
			var got []int
			var failed error
			for page, err := range store.Pages(t.Context(), f, test.prefix, test.size) {
				if failed = err; err != nil {
					continue
				}
				if got = append(got, len(page)); len(got) == test.stopAfter {
					break
				}
			}
			if !slices.Equal(got, test.want) || f.calls != test.calls || !errors.Is(failed, test.err) {
				t.Errorf("got pages of %v items in %d calls, %v, want %v in %d, %v", got, f.calls, failed, test.want, test.calls, test.err)
			}
		})
	}
}
