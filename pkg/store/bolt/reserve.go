package bolt

import (
	"context"
	"errors"
	"syscall"

	"go.etcd.io/bbolt"
)

const (
	// minReserve and maxReserve bound the reserve, in bytes. Between them it is as large
	// as the content.
	minReserve = 256 << 10
	maxReserve = 16 << 20
	// sizePerChange is more than a change takes besides twice its key and its value: the
	// index entries, and the share of a page that is not full.
	sizePerChange = 200
)

// reserveKey is a key of the due index whose value grows the file. Reads do not come
// across it: no kind begins with a zero byte.
var reserveKey = []byte("\x00reserve")

// keepReserve makes sure that the batch leaves the reserve: free pages, which have their
// place on the disk since they were written once. If there are too few it lets the file
// grow, and returns an error that wraps store.ErrFull if there is no room for it.
func (s *Store) keepReserve(batch []*pendingCommit) error {
	growth := 0
	for _, c := range batch {
		for _, change := range c.changes {
			growth += 2*(len(change.Key)+len(change.Value)) + sizePerChange
		}
	}
	free := s.db.Stats().FreeAlloc
	reserve := min(max(s.size-free, minReserve), maxReserve)
	wanted := reserve + min(growth, maxReserve)
	if s.full {
		wanted += reserve / 4 // so that small commits are refused as well as large ones
	}
	if s.full = free < wanted; !s.full {
		return nil
	}
	// More than all free pages, so that it takes new ones.
	err := s.inTransaction(context.Background(), "grow", s.db.Update, func(tx *bbolt.Tx) error {
		return bucketsOf(tx).due.Put(reserveKey, make([]byte, wanted))
	})
	if err != nil {
		return err
	}
	s.full = false
	return s.inTransaction(context.Background(), "grow", s.db.Update, func(tx *bbolt.Tx) error {
		s.size = int(tx.Size())
		return bucketsOf(tx).due.Delete(reserveKey)
	})
}

// isFull reports whether an error means that a file cannot grow.
func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}
