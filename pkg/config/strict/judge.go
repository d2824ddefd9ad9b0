package strict

import (
	"fmt"

	"tocsin/pkg/setting"
)

// judge adds what validation found, unless the value could not be read in the
// first place: then that is the one thing to say. The line is that of the value,
// or of the nearest thing around it that the file has.
func (d *decoder) judge(f setting.Fault) {
	at := place{line: d.lines[""]}
	failed := false
	for _, step := range f.Path {
		line := at.line
		if i, ok := step.(int); ok {
			at = at.at(i, line)
		} else {
			at = at.in(fmt.Sprint(step), line)
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
