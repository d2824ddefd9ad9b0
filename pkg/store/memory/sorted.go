package memory

import (
	"iter"
	"slices"
)

// maxRun is the length at which a run is split: short enough that moving it is
// cheap, long enough that there are few runs.
const maxRun = 512

// sorted is a set of values in the order of compare. It is kept as consecutive
// sorted runs, so that a change moves one run, not the whole set.
type sorted[T any] struct {
	compare func(a, b T) int
	runs    [][]T // none is empty
}

// from yields the values at or after v, in order. The set must not change
// meanwhile.
func (s *sorted[T]) from(v T) iter.Seq[T] {
	return func(yield func(T) bool) {
		run, at, _ := s.find(v)
		for ; run < len(s.runs); run, at = run+1, 0 {
			for _, v := range s.runs[run][at:] {
				if !yield(v) {
					return
				}
			}
		}
	}
}

// insert adds v, if it is not there.
func (s *sorted[T]) insert(v T) {
	run, at, found := s.find(v)
	if found {
		return
	}
	if run == len(s.runs) { // behind everything
		if run == 0 {
			s.runs = append(s.runs, nil)
		} else {
			run--
		}
		at = len(s.runs[run])
	}
	values := slices.Insert(s.runs[run], at, v)
	if len(values) <= maxRun {
		s.runs[run] = values
		return
	}
	half := len(values) / 2
	s.runs[run] = slices.Clone(values[:half])
	s.runs = slices.Insert(s.runs, run+1, slices.Clone(values[half:]))
}

// remove takes v out, if it is there.
func (s *sorted[T]) remove(v T) {
	run, at, found := s.find(v)
	if !found {
		return
	}
	s.runs[run] = slices.Delete(s.runs[run], at, at+1)
	if len(s.runs[run]) == 0 {
		s.runs = slices.Delete(s.runs, run, run+1)
	}
}

// find returns where v is, or would be inserted.
func (s *sorted[T]) find(v T) (run, at int, found bool) {
	run, _ = slices.BinarySearchFunc(s.runs, v, func(values []T, v T) int {
		return s.compare(values[len(values)-1], v)
	})
	if run < len(s.runs) {
		at, found = slices.BinarySearchFunc(s.runs[run], v, s.compare)
	}
	return run, at, found
}
