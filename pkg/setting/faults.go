package setting

import (
	"fmt"
	"strings"
)

// Fault is an error or a warning about one value of a configuration.
type Fault struct {
	// Path leads from the top of the document to the value: strings are keys, ints
	// are positions in lists.
	Path []any
	// Message describes the error and the allowed values, without the path.
	Message string
	// Warning is set if the configuration can be used nevertheless.
	Warning bool
}

// Faults collects faults. A Validate method adds everything that is wrong with its part
// and never stops at the first fault. The zero value is an empty list at the top of a
// document.
type Faults struct {
	list *[]Fault
	at   []any
}

// In returns a Faults that adds to the same list, below the given path.
func (f *Faults) In(path ...any) *Faults {
	if f.list == nil {
		f.list = new([]Fault)
	}
	return &Faults{list: f.list, at: append(f.at[:len(f.at):len(f.at)], path...)}
}

// Addf adds an error about a key; key "" is the value at f's own path.
func (f *Faults) Addf(key, format string, args ...any) { f.add(key, false, format, args) }

// Warnf adds a warning.
func (f *Faults) Warnf(key, format string, args ...any) { f.add(key, true, format, args) }

func (f *Faults) add(key string, warning bool, format string, args []any) {
	at := f.In()
	if key != "" {
		at = f.In(key)
	}
	*f.list = append(*f.list, Fault{Path: at.at, Message: fmt.Sprintf(format, args...), Warning: warning})
}

// List returns the faults in the order in which they were added.
func (f *Faults) List() []Fault {
	if f.list == nil {
		return nil
	}
	return *f.list
}

// Nearest returns the known name that was probably meant by name, "" if none is near
// enough. A name is near if at most a third of the letters of name differ (two swapped
// letters count once), or else if it begins with name. Of equally near names the first
// wins.
func Nearest(name string, known []string) string {
	best, least := "", max(1, len(name)/3)+1
	for _, k := range known {
		if d := distance(name, k, least); d < least {
			best, least = k, d
		}
	}
	for _, k := range known {
		if best == "" && len(name) >= 3 && strings.HasPrefix(k, name) {
			best = k
		}
	}
	return best
}

// distance returns the optimal string alignment distance of a and b: the number of
// letters to insert, delete, replace, or swap with their neighbour. It returns limit if
// the distance is at least that.
func distance(a, b string, limit int) int {
	if len(a)-len(b) >= limit || len(b)-len(a) >= limit {
		return limit
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before, last, row = last, row, before
		row[0] = i + 1
		for j := range len(b) {
			replace := last[j]
			if a[i] != b[j] {
				replace++
			}
			row[j+1] = min(replace, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
	}
	return min(row[len(b)], limit)
}
