package store_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tocsin/pkg/store"
	"tocsin/pkg/store/memory"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// One commit creates a group and its first notification, or neither.
func ExampleStore() {
	ctx := context.Background()
	s := memory.New()
	defer s.Close()

	err := s.Commit(ctx, noon,
		store.Change{Key: "group/disk", Value: []byte("2 alerts"), If: store.Absent()},
		store.Change{Key: "owed/disk-1", Value: []byte("to ops"), Due: noon})
	fmt.Println(err)

	// Another instance that also saw no group loses, and writes nothing.
	err = s.Commit(ctx, noon,
		store.Change{Key: "group/disk", Value: []byte("1 alert"), If: store.Absent()},
		store.Change{Key: "owed/disk-2", Value: []byte("to ops"), Due: noon})
	fmt.Println(errors.Is(err, store.ErrConflict))

	items, _ := s.List(ctx, "owed/", "", 10)
	for _, it := range items {
		fmt.Println(it.Key, string(it.Value))
	}
	// Output:
	// <nil>
	// true
	// owed/disk-1 to ops
}

// To lease work, move its due time ahead on the condition that it is unchanged.
func ExampleStore_lease() {
	ctx := context.Background()
	s := memory.New()
	defer s.Close()
	s.Commit(ctx, noon, store.Change{Key: "owed/1", Value: []byte("to ops"), Due: noon})

	due, _ := s.Due(ctx, "owed", noon, 10)
	lease := store.Change{Key: due[0].Key, Value: due[0].Value, Due: noon.Add(time.Minute), If: store.Unchanged(due[0])}
	fmt.Println("first instance:", s.Commit(ctx, noon, lease))
	fmt.Println("second instance:", s.Commit(ctx, noon, lease))

	// If the first instance dies, the work is due again when its lease ends.
	next, _ := s.NextDue(ctx, "owed")
	fmt.Println("due again at", next.Format(time.TimeOnly))
	// Output:
	// first instance: <nil>
	// second instance: store: conflict: "owed/1"
	// due again at 12:01:00
}

// A read that others may invalidate goes into the function that is retried.
func ExampleRetryOnConflict() {
	ctx := context.Background()
	s := memory.New()
	defer s.Close()

	increment := func() error {
		return store.RetryOnConflict(ctx, func() error {
			items, err := s.Get(ctx, "meta/count")
			if err != nil {
				return err
			}
			var count int
			if _, err := store.Decode(items[0], &count); err != nil {
				return err
			}
			c, err := store.Encode("meta/count", count+1)
			if err != nil {
				return err
			}
			c.If = store.Unchanged(items[0])
			return s.Commit(ctx, noon, c)
		})
	}
	fmt.Println(increment(), increment())
	items, _ := s.Get(ctx, "meta/count")
	fmt.Println(string(items[0].Value))
	// Output:
	// <nil> <nil>
	// 2
}

// An absent key is an item with version 0; Decode reports that it was not found.
func ExampleDecode() {
	ctx := context.Background()
	s := memory.New()
	defer s.Close()

	type peer struct {
		Address string `json:"address"`
	}
	c, _ := store.Encode("peer/a", peer{"10.0.0.1:9093"})
	s.Commit(ctx, noon, c)

	items, _ := s.Get(ctx, "peer/a", "peer/b")
	for _, it := range items {
		var p peer
		found, err := store.Decode(it, &p)
		fmt.Println(it.Key, found, p.Address, err)
	}
	// Output:
	// peer/a true 10.0.0.1:9093 <nil>
	// peer/b false  <nil>
}

// Pages lists everything under a prefix without holding it all in memory.
func ExamplePages() {
	ctx := context.Background()
	s := memory.New()
	defer s.Close()
	for _, id := range []string{"c", "a", "b"} {
		s.Commit(ctx, noon, store.Change{Key: "silence/" + id, Value: []byte{}})
	}

	for page, err := range store.Pages(ctx, s, "silence/", 2) {
		if err != nil {
			fmt.Println(err)
			return
		}
		for _, it := range page {
			fmt.Println(it.Key)
		}
		fmt.Println("end of page")
	}
	// Output:
	// silence/a
	// silence/b
	// end of page
	// silence/c
	// end of page
}
