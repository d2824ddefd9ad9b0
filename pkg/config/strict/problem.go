package strict

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing that is wrong in a file, or worth a warning.
type Problem struct {
	File string
	// Line counts from 1; a key that is missing has the line of what it is
	// missing from.
	Line int
	// Key is the way to the value, such as lag.rules[0].max_lag; "" is the file
	// itself.
	Key     string
	Message string
	Warning bool
}

// String prints the problem as file:line: key: message.
func (p Problem) String() string {
	s := fmt.Sprintf("%s:%d: ", p.File, p.Line)
	if p.Key != "" {
		s += p.Key + ": "
	}
	return s + p.Message
}

// Faults is the error of a file that cannot be used: everything that is wrong
// with it, in the order of its lines.
type Faults []Problem

// Error prints the faults, one on each line.
func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i, p := range f {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// split sorts problems by line and parts them into warnings and faults. The
// error is nil when there are no faults.
func split(all []Problem) (warnings []Problem, err error) {
	slices.SortStableFunc(all, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Key, b.Key))
	})
	var faults Faults
	for _, p := range slices.Compact(all) {
		if p.Warning {
			warnings = append(warnings, p)
		} else {
			faults = append(faults, p)
		}
	}
	if faults != nil {
		err = faults
	}
	return warnings, err
}
