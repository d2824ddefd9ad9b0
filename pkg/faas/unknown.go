package faas

import (
	"fmt"
	"strings"
)

// An unknown event's keys are named up to these bounds.
const (
	maxKeysNamed = 16
	maxKeyBytes  = 64
)

// unknownEvent is the error for an event that is not of the kind that the
// function takes.
type unknownEvent struct {
	kind string // whose event it is not
	hint string // what to do instead
	keys []string
}

func (e *unknownEvent) Error() string {
	if len(e.keys) == 0 {
		return "the event is empty, not " + e.kind + ": " + e.hint
	}
	named, more := e.keys, ""
	if len(named) > maxKeysNamed {
		named, more = named[:maxKeysNamed], ", …"
	}
	quoted := make([]string, len(named))
	for i, k := range named {
		if len(k) > maxKeyBytes {
			k = k[:maxKeyBytes] + "…"
		}
		quoted[i] = fmt.Sprintf("%q", k)
	}
	return "the event is not " + e.kind + ", its keys are " + strings.Join(quoted, ", ") + more + ": " + e.hint
}
