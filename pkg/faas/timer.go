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

// TimerHandler is a function that a platform's timer calls. What it returns is
// answered as JSON. An error makes the platform call again: SCF and Lambda
// repeat a timer's event twice unless they are told otherwise.
type TimerHandler func(ctx context.Context, e TimerEvent) (any, error)

// Sources of timer events.
const (
	SCFTimer     = "scf.timer"     // SCF timer trigger
	AWSRule      = "aws.events"    // EventBridge rule with a schedule
	AWSScheduler = "aws.scheduler" // EventBridge Scheduler
)

// TimerEvent is a timer's call, from whichever platform.
type TimerEvent struct {
	// Source is SCFTimer, AWSRule or AWSScheduler.
	Source string
	// Name is that of the trigger, rule or schedule.
	Name string
	// Scheduled is when the timer was due, and zero when that is not known. It
	// is never known on SCF: the documentation of the trigger calls the event's
	// Time the trigger's creation time (document/product/583/9708).
	Scheduled time.Time
	// Message is the argument that an SCF trigger was given.
	Message string
}

func (t TimerHandler) handle(ctx context.Context, event []byte) (any, error) {
	e, err := parseTimer(event)
	if err != nil {
		return nil, err
	}
	return t(ctx, e)
}

// maxTimerEvent is what EventBridge Scheduler sends at most, in bytes; SCF sends
// half as much to a function that it calls asynchronously.
const maxTimerEvent = 256 << 10

// parseTimer recognises an event by its shape. The error for an unknown one
// names the keys that it has, and none of their values.
func parseTimer(event []byte) (TimerEvent, error) {
	if len(event) > maxTimerEvent {
		return TimerEvent{}, fmt.Errorf("the event has %d bytes: a timer's has at most %d", len(event), maxTimerEvent)
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(event, &fields) != nil {
		return TimerEvent{}, errors.New("the event is not a JSON object: call this function from a timer trigger")
	}
	text := func(key string) (s string) {
		_ = json.Unmarshal(fields[key], &s) // a value that is no string is no match
		return s
	}
	source := text("source")
	switch {
	case text("Type") == "Timer":
		return TimerEvent{Source: SCFTimer, Name: text("TriggerName"), Message: text("Message")}, nil
	case source == AWSRule && text("detail-type") == "Scheduled Event", source == AWSScheduler:
		at, _ := time.Parse(time.RFC3339, text("time")) // zero is unknown
		return TimerEvent{Source: source, Name: resourceName(fields["resources"]), Scheduled: at}, nil
	}
	return TimerEvent{}, &unknownEvent{"a timer's", "call this function from a timer trigger", slices.Sorted(maps.Keys(fields))}
}

// resourceName is the last part of the first ARN in a list of them.
func resourceName(list json.RawMessage) string {
	var arns []string
	if json.Unmarshal(list, &arns) != nil || len(arns) == 0 {
		return ""
	}
	return arns[0][strings.LastIndexByte(arns[0], '/')+1:]
}
