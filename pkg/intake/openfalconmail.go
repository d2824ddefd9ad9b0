package intake

import (
	"slices"
	"strings"
	"time"
)

// parseMail reads the body of a mail of Open-Falcon, which has one event or
// several, each of these lines:
//
//	PROBLEM
//	P1
//	Endpoint:host
//	Metric:cpu.idle
//	Tags:k=v,k=v
//	all(#3): 0>10
//	Note:any text
//	Max:3, Current:1
//	Timestamp:2026-11-20 22:00:00
//	http://dashboard/…
//
// What is not of this form is left out.
func parseMail(body string, zone *time.Location) []*falconEvent {
	var events []*falconEvent
	lines := strings.Split(strings.ReplaceAll(body, "\r\n", "\n"), "\n")
	end := len(lines)
	for i := len(lines) - 2; i >= 0; i-- {
		if !beginsEvent(lines[i:]) {
			continue
		}
		e := &falconEvent{status: lines[i], priority: lines[i+1][1:]}
		if e.parseMailLines(lines[i+2:end], zone) {
			events = append(events, e)
		}
		end = i
	}
	slices.Reverse(events)
	return events
}

// beginsEvent tells whether lines, at least two, begin with a status and a
// priority.
func beginsEvent(lines []string) bool {
	status, priority := lines[0], lines[1]
	return (status == falconProblem || status == falconOK) && len(priority) == 2 && priority[0] == 'P' && priority[1] >= '0' && priority[1] <= '9'
}

// parseMailLines reads what follows the status and the priority, and tells
// whether it is an event.
func (e *falconEvent) parseMailLines(lines []string, zone *time.Location) bool {
	noted := false
	for _, line := range lines {
		key, value, _ := strings.Cut(line, ":")
		switch {
		case key == "Max":
			noted = false
			var current string
			e.max, current, _ = strings.Cut(value, ",")
			_, e.step, _ = strings.Cut(current, ":")
		case noted: // a note may have several lines
			e.note += "\n" + line
		case key == "Endpoint":
			e.endpoint = value
		case key == "Metric":
			e.metric = value
		case key == "Tags":
			e.tags = falconTags(value, "=")
		case key == "Note":
			e.note, noted = value, true
		case key == "Timestamp":
			e.at, _ = parseTime(value, zone)
		case strings.HasPrefix(line, "http://"), strings.HasPrefix(line, "https://"):
			e.link = line
		case strings.HasSuffix(key, ")") && e.function == "":
			e.function = key
			e.parseComparison(strings.TrimSpace(value))
		}
	}
	return e.metric != "" && e.endpoint != ""
}
