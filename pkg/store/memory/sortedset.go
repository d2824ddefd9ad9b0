package memory

import (
	"iter"
	"slices"
)

// maxRun is the length above which a run is split: short enough that inserting into
// it is cheap, long enough that there are few runs.
const maxRun = 512

// sortedSet is a set of values in the order of compare, stored as consecutive
// sorted runs so that an insertion moves the values of one run and not of the whole
// set.
type sortedSet[T any] struct {
	compare func(a, b T) int
	runs    [][]T // none is empty
}

// from yields the values at or after v in order. The set must not change during
// the iteration.
func (s *sortedSet[T]) from(v T) iter.Seq[T] {
	return func(yield func(T) bool) {
		run, i, _ := s.find(v)
		for ; run < len(s.runs); run, i = run+1, 0 {
			for _, v := range s.runs[run][i:] {
				if !yield(v) {
					return
				}
			}
		}
	}
}

// insert adds v, if the set does not have it.
func (s *sortedSet[T]) insert(v T) {
	run, i, found := s.find(v)
	if found {
		return
	}
	if run == len(s.runs) { // greater than every value
		if run == 0 {
			s.runs = append(s.runs, nil)
		} else {
			run--
		}
		i = len(s.runs[run])
	}
	values := slices.Insert(s.runs[run], i, v)
	if len(values) <= maxRun {
		s.runs[run] = values
		return
	}
	half := len(values) / 2
	s.runs[run] = slices.Clone(values[:half])
	s.runs = slices.Insert(s.runs, run+1, slices.Clone(values[half:]))
}

// remove removes v, if the set has it.
func (s *sortedSet[T]) remove(v T) {
	run, i, found := s.find(v)
	if !found {
		return
	}
	s.runs[run] = slices.Delete(s.runs[run], i, i+1)
	if len(s.runs[run]) == 0 {
		s.runs = slices.Delete(s.runs, run, run+1)
	}
}

// find returns the position of v, or the one at which it would be inserted.
func (s *sortedSet[T]) find(v T) (run, i int, found bool) {
	run, _ = slices.BinarySearchFunc(s.runs, v, func(values []T, v T) int {
		return s.compare(values[len(values)-1], v)
	})
	if run < len(s.runs) {
		i, found = slices.BinarySearchFunc(s.runs[run], v, s.compare)
	}
	return run, i, found
}
