package store

import (
	"context"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Encode returns a change that writes v under key: in v's binary form if it is an
// encoding.BinaryMarshaler, as JSON otherwise. The caller adds due time, expiry
// and condition.
func Encode(key string, v any) (Change, error) {
	marshal := func() ([]byte, error) { return json.Marshal(v) }
	if m, ok := v.(encoding.BinaryMarshaler); ok {
		marshal = m.MarshalBinary
	}
	value, err := marshal()
	if err != nil {
		return Change{}, fmt.Errorf("encode %s: %w", key, err)
	}
	return Change{Key: key, Value: value}, nil
}

// Decode decodes into v what Encode wrote, and reports whether the key is present.
// An error means that the value is damaged or that a newer version wrote it; v may
// then be half filled.
func Decode(it Item, v any) (found bool, err error) {
	unmarshal := func(b []byte) error { return json.Unmarshal(b, v) }
	if m, ok := v.(encoding.BinaryUnmarshaler); ok {
		unmarshal = m.UnmarshalBinary
	}
	return DecodeWith(it, unmarshal)
}

// DecodeWith is Decode for a value in a form of its owner, which decode decodes. It is not
// called for an absent key.
func DecodeWith(it Item, decode func(value []byte) error) (found bool, err error) {
	switch {
	case it.err != nil:
		err = it.err
	case it.Version == 0:
		return false, nil
	default:
		err = decode(it.Value)
	}
	if err == nil {
		return true, nil
	}
	err = fmt.Errorf("decode %s, which is damaged or was written by a newer version: %w", it.Key, err)
	if it.report != nil {
		it.report(it, err)
	}
	return false, err
}

// conflictAttempts is how often RetryOnConflict calls its function.
const conflictAttempts = 16

// RetryOnConflict calls fn, which reads, decides and commits, again for as long as
// it returns ErrConflict, at most 16 times in all. It returns fn's error; after the
// last attempt that is one which wraps ErrConflict. When ctx is done between two
// attempts, it returns ctx's error.
func RetryOnConflict(ctx context.Context, fn func() error) error {
	var err error
	for range conflictAttempts {
		if err = fn(); !errors.Is(err, ErrConflict) {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return fmt.Errorf("%d attempts: %w", conflictAttempts, err)
}

// CommitEach commits changes that do not depend on each other: together, or each on its
// own if one of them conflicts. Those that conflict are not made.
func CommitEach(ctx context.Context, s Store, now time.Time, changes []Change) error {
	for part := range slices.Chunk(changes, MaxChanges) {
		err := s.Commit(ctx, now, part...)
		if err == nil {
			continue
		}
		if !errors.Is(err, ErrConflict) {
			return err
		}
		for _, c := range part {
			if err := s.Commit(ctx, now, c); err != nil && !errors.Is(err, ErrConflict) {
				return err
			}
		}
	}
	return nil
}
