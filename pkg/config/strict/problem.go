package strict

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"tocsin/pkg/setting"
)

// Problem is an error or a warning about a file.
type Problem struct {
	File string
	// Line counts from 1. For a missing key it is the line of the mapping that lacks
	// it.
	Line int
	// Key is the path of the value, such as lag.rules[0].max_lag, "" for the file.
	Key     string
	Message string
	Warning bool
}

// String returns "file:line: key: message".
func (p Problem) String() string {
	s := fmt.Sprintf("%s:%d: ", p.File, p.Line)
	if p.Key != "" {
		s += p.Key + ": "
	}
	return s + p.Message
}

// Faults is the error of a file that cannot be used: all its errors, in the order of
// their lines.
type Faults []Problem

// Error returns the faults, one per line.
func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i, p := range f {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// sortProblems sorts problems by line and returns the warnings and, as a Faults, the
// errors; err is nil if there are none.
func sortProblems(all []Problem) (warnings []Problem, err error) {
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

// addFault adds a fault that Validate has found, unless decoding its value has failed:
// then that error is enough. The line is that of the value, or of the innermost
// enclosing value that is in the file.
func (d *decoder) addFault(f setting.Fault) {
	at := position{line: d.lines[""]}
	failed := false
	for _, step := range f.Path {
		line := at.line
		if i, ok := step.(int); ok {
			at = at.element(i, line)
		} else {
			at = at.child(fmt.Sprint(step), line)
		}
		if line, ok := d.lines[at.key]; ok {
			at.line = line
		}
		failed = failed || d.failed[at.key]
	}
	if failed && !f.Warning {
		return
	}
	d.problems = append(d.problems, Problem{Line: at.line, Key: at.key, Message: f.Message, Warning: f.Warning})
}
