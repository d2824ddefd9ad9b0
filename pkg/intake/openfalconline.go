package intake

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// parseLine reads a line of Open-Falcon (modules/alarm/cron/builder.go): six pairs
// of brackets,
//
//	[P1][PROBLEM][endpoint][][note func metric tags left>right][O1 2026-11-20 22:00:00]
//
// or what stands for many events in its place,
//
//	[P3][PROBLEM] 12 metric.  e.g. endpoint. detail in email
//	[P3][PROBLEM] 12 metric e.g. endpoint http://dashboard/portal/links/path
func parseLine(line string, zone *time.Location) (falconEvent, error) {
	var e falconEvent
	head, rest, ok1 := bracket(line)
	priority, ok2 := strings.CutPrefix(head, "P")
	status, rest, ok3 := bracket(rest)
	if !ok1 || !ok2 || !ok3 || len(priority) != 1 || priority < "0" || priority > "9" {
		return e, errors.New("a line begins with a priority and a status, such as [P0][PROBLEM]")
	}
	if status != falconProblem && status != falconOK {
		return e, fmt.Errorf("the status %q is neither PROBLEM nor OK", cut(status, maxQuote))
	}
	e.priority, e.status = priority, status
	if !strings.HasPrefix(rest, "[") {
		return e, e.parseMerged(rest)
	}
	var ok bool
	if e.endpoint, rest, ok = bracket(rest); !ok {
		return e, errors.New("its third bracket, the endpoint, does not close")
	}
	if _, rest, ok = bracket(rest); !ok {
		return e, errors.New("its fourth bracket is missing")
	}
	// A note may have brackets in it, so the last one is looked for from the end.
	i := strings.LastIndex(rest, "][O")
	if i < 1 || rest[0] != '[' || !strings.HasSuffix(rest, "]") {
		return e, errors.New("its last two brackets, the expression and the time, are missing")
	}
	if err := e.parseExpression(rest[1:i]); err != nil {
		return e, err
	}
	step, at, _ := strings.Cut(rest[i+len("][O"):len(rest)-1], " ")
	e.step = step
	if e.at, ok = parseTime(at, zone); !ok {
		return e, fmt.Errorf("its last bracket has the time %q: 2026-01-02 15:04:05 is expected", cut(at, maxQuote))
	}
	return e, nil
}

// bracket reads what stands between brackets at the start of s.
func bracket(s string) (inside, rest string, ok bool) {
	s, ok = strings.CutPrefix(s, "[")
	if !ok {
		return "", s, false
	}
	return strings.Cut(s, "]")
}

// falconFuncs are the functions of Open-Falcon's judge. Each is written with its
// arguments: all(#3).
var falconFuncs = []string{"max(", "min(", "all(", "sum(", "avg(", "diff(", "pdiff(", "lookup(", "stddev(", "kdiff(", "kpdiff("}

// parseExpression reads "note func metric tags left>right". The note is any text,
// so the last function in it is the one that is meant.
func (e *falconEvent) parseExpression(s string) error {
	wrong := fmt.Errorf("its fifth bracket has %q: a note, a function, a metric, tags and an expression such as 0>10 are expected", cut(s, maxQuote))
	from := -1
	for _, name := range falconFuncs {
		if i := strings.LastIndex(s, " "+name); i > from {
			from = i
		}
		if from < 0 && strings.HasPrefix(s, name) {
			from = 0
		}
	}
	if from < 0 {
		return wrong
	}
	end := strings.Index(s[from:], ") ")
	if end < 0 {
		return wrong
	}
	e.note = strings.TrimSpace(s[:from])
	e.function = strings.TrimSpace(s[from : from+end+1])
	metric, rest, _ := strings.Cut(s[from+end+2:], " ")
	i := strings.LastIndex(rest, " ")
	e.metric = metric
	if i < 0 || metric == "" || !e.parseComparison(rest[i+1:]) {
		return wrong
	}
	e.tags = falconTags(rest[:i], "=")
	return nil
}

// parseComparison reads left, operator and right without a space between them.
func (e *falconEvent) parseComparison(s string) bool {
	i := strings.IndexAny(s, "=!<>")
	if i < 0 {
		return false
	}
	j := i + 1
	if j < len(s) && s[j] == '=' {
		j++
	}
	e.left, e.operator, e.right = s[:i], s[i:j], s[j:]
	return e.operator != "!" && e.left != "" && e.right != ""
}

// parseMerged reads what follows the priority and status of a line that stands
// for many. The endpoint in it is one of them.
func (e *falconEvent) parseMerged(s string) error {
	e.merged = true
	s = strings.TrimSpace(s)
	count, rest, _ := strings.Cut(s, " ")
	if strings.Trim(count, "0123456789") != "" || rest == "" {
		return fmt.Errorf("%q follows its status: brackets, or a count and a metric, are expected", cut(s, maxQuote))
	}
	e.count = count
	metric, example, _ := strings.Cut(rest, " e.g. ")
	if example, detail := strings.CutSuffix(example, ". detail in email"); detail {
		e.metric, e.example = strings.TrimSuffix(strings.TrimSpace(metric), "."), example
		return nil
	}
	e.metric = strings.TrimSpace(metric)
	e.example, e.link, _ = strings.Cut(strings.TrimSpace(example), " ")
	return nil
}
