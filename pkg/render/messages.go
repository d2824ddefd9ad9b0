package render

import (
	"time"

	"tocsin/pkg/alert"
)

// messages are the built-in texts of one language. Each language has a file of its
// own, which is all that a translator needs.
//
// A parameter that a comment calls optional may be "".
type messages struct {
	firing, resolved string // prefixes of titles
	colon            string // between the name of a field and its value
	comma            string // between parts of a sentence

	lag, pollFailed, hostOffline string // kinds of alerts
	alerts                       func(n int) string
	// counted is the suffix of the title of several alerts: how many fire and how
	// many are resolved, either of which may be 0.
	counted func(unit unit, firing, resolved int) string

	// labels are the names of common labels.
	labels map[string]string

	// Names of fields.
	rule, threshold, partitions, members, unknown, started, ended, detail string
	state, growth, rate, readFrom                                         string
	lastReport, address, lastValues                                       string
	cause, advice                                                         string
	// Names of links.
	source, runbook, dashboard, allAlerts string

	lagHeadline      func(lag, threshold string) string           // threshold is optional
	lagShortHeadline func(lag, threshold, duration string) string // threshold and duration are optional
	totalLag         func(sum, worst, name string) string
	notCounted       func(partitions string) string

	// status is the state of a consumer group in a word, statusReason in a sentence.
	status, statusReason         map[alert.LagStatus]string
	lost, oldestUnread, drainsIn func(s string) string
	rates                        func(in, out, drain string) string // drain is optional
	never, cloudAPI              string

	// The duration of a resolved alert is optional, and so is its last lag.
	resolvedAfter func(duration string) string
	lagResolved   func(duration, lag string) string
	pollResolved  func(duration string) string
	hostResolved  func(duration string) string
	allResolved   func(longest string) string

	unwatched        func(place string) string
	partlyUnwatched  func(place string) string
	clusterOrGroup   func(cluster, group string) string // both are optional
	pollAdvice       string
	noReportFor      func(duration string) string       // duration is optional
	lasting          func(duration string) string       // of a firing alert
	timeWithDuration func(time, duration string) string // duration is optional

	merged        func(n int) string
	fallbackFor   func(receiver, cause string) string // cause is optional
	templateError func(err string) string
	chartAlt      func(title, span string) string

	duration func(time.Duration) string
}

// unit is what alerts of a kind are counted in.
type unit uint8

const (
	unitAlert unit = iota
	unitTopic
	unitHost
)

// messagesFor returns the messages of a language: English for "en", otherwise
// Chinese.
func messagesFor(language string) *messages {
	if language == "en" {
		return english()
	}
	return chinese()
}
