package render

import (
	"time"

	"tocsin/pkg/alert"
)

// words is everything that the built-in messages say in one language. Each
// language has one file, which is all that a translator needs to see.
type words struct {
	firing, resolved string // the tag before a title
	colon            string // between the name of a field and its value

	// What alerts are about; the other kinds of alert go by their alertname.
	lag, pollFailed, hostOffline string
	// alerts names a mixture of several alerts: "5 alerts".
	alerts func(n int) string

	// counted goes behind the title of several alerts: how many of a kind fire
	// and how many are over; either may be none.
	counted func(unit unit, firing, resolved int) string

	// labels translates the names of common labels.
	labels map[string]string

	// Names of facts.
	rule, threshold, partitions, unknown, started, lastReport, address, lastValues, ended, detail, cause, advice string
	// Names of links.
	source, runbook, dashboard, overview string

	behind     func(lag, threshold string) string // threshold may be ""
	behindLine func(lag, threshold, lasted string) string
	behindAll  func(sum, worst, name string) string
	unread     func(partitions string) string

	// What a consumer does, by the annotation status, in a word and in a sentence.
	status, statusWhy        map[alert.LagStatus]string
	comma                    string // between parts of a sentence
	state, growth, rate, way string // names of facts
	lost, oldest, caughtUp   func(s string) string
	rates                    func(in, out, drain string) string // drain may be ""
	never, byAPI             string

	over     func(lasted string) string
	overLag  func(lasted, lag string) string // lag may be ""
	overAll  func(longest string) string
	overPoll func(lasted string) string
	overHost func(lasted string) string

	blind     func(what string) string
	half      func(what string) string
	blindWhat func(cluster, group string) string
	checkPoll string
	silent    func(lasted string) string
	lasted    func(lasted string) string        // for how long, of what still lasts
	lasting   func(since, lasted string) string // a time, and for how long

	merged    func(n int) string                  // notifications into one
	insteadOf func(receiver, cause string) string // cause may be ""
	badText   func(err string) string
	picture   func(what, span string) string // of the lag of something, and how long it was watched

	duration func(time.Duration) string
}

// unit is what alerts of a kind are counted in.
type unit uint8

const (
	unitAlert unit = iota
	unitTopic
	unitHost
)

// wordsOf returns the words of a language: English for "en", otherwise Chinese.
func wordsOf(language string) *words {
	if language == "en" {
		return english()
	}
	return chinese()
}
