package faas

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// TimerHandler is a function that is called by a platform's timer. Its result
// is encoded as JSON. After an error, the platform calls again: by default, SCF
// and Lambda retry a timer's event twice.
type TimerHandler func(ctx context.Context, e TimerEvent) (any, error)

// Sources of timer events.
const (
	SCFTimer     = "scf.timer"     // SCF timer trigger
	AWSRule      = "aws.events"    // EventBridge rule with a schedule
	AWSScheduler = "aws.scheduler" // EventBridge Scheduler
)

// TimerEvent is a call by the timer of either platform.
type TimerEvent struct {
	// Source is SCFTimer, AWSRule or AWSScheduler.
	Source string
	// Name is the name of the trigger, rule or schedule.
	Name string
	// Scheduled is when the timer was due, or zero if that is not known. On SCF
	// it is never known: the Time of the event is documented as the creation
	// time of the trigger (document/product/583/9708).
	Scheduled time.Time
	// Message is the argument configured for an SCF trigger.
	Message string
}

func (t TimerHandler) handle(ctx context.Context, event []byte) (any, error) {
	e, err := parseTimer(event)
	if err != nil {
		return nil, err
	}
	return t(ctx, e)
}

// maxTimerEvent is the size limit of events from EventBridge Scheduler in
// bytes. SCF allows half of it for asynchronous events.
const maxTimerEvent = 256 << 10

// parseTimer parses the event of a timer, which it recognizes by its fields. The
// error for any other event names the event's keys, without values.
func parseTimer(event []byte) (TimerEvent, error) {
	if len(event) > maxTimerEvent {
		return TimerEvent{}, fmt.Errorf("the event has %d bytes: a timer's has at most %d", len(event), maxTimerEvent)
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(event, &fields) != nil {
		return TimerEvent{}, errors.New("the event is not a JSON object: call this function from a timer trigger")
	}
	text := func(key string) (s string) {
		_ = json.Unmarshal(fields[key], &s) // a value that is not a string does not match
		return s
	}
	source := text("source")
	switch {
	case text("Type") == "Timer":
		return TimerEvent{Source: SCFTimer, Name: text("TriggerName"), Message: text("Message")}, nil
	case source == AWSRule && text("detail-type") == "Scheduled Event", source == AWSScheduler:
		at, _ := time.Parse(time.RFC3339, text("time")) // zero if unknown
		return TimerEvent{Source: source, Name: resourceName(fields["resources"]), Scheduled: at}, nil
	}
	return TimerEvent{}, &unknownEvent{"a timer's", "call this function from a timer trigger", slices.Sorted(maps.Keys(fields))}
}

// resourceName returns the last part of the first ARN in a list.
func resourceName(list json.RawMessage) string {
	var arns []string
	if json.Unmarshal(list, &arns) != nil || len(arns) == 0 {
		return ""
	}
	return arns[0][strings.LastIndexByte(arns[0], '/')+1:]
}

// Limits for naming the keys of an unknown event.
const (
	maxKeysNamed = 16
	maxKeyBytes  = 64
)

// unknownEvent is the error for an event of a kind that the function does
// not take.
type unknownEvent struct {
	kind string // the expected kind of event, as "a timer's"
	hint string // the remedy
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
