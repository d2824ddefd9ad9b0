package render

import (
	"fmt"
	"strconv"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/humanize"
)

func english() *messages {
	return &messages{
		firing:   "[FIRING] ",
		resolved: "[RESOLVED] ",
		colon:    ": ",

		lag:         "Consumer lag",
		pollFailed:  "Consumer lag cannot be read",
		hostOffline: "Host offline",
		alerts: func(n int) string {
			if n == 1 {
				return "1 alert"
			}
			return strconv.Itoa(n) + " alerts"
		},
		counted: func(u unit, firing, resolved int) string {
			names := [...][2]string{unitAlert: {" alert", " alerts"}, unitTopic: {" topic", " topics"}, unitHost: {" host", " hosts"}}[u]
			of := func(n int) string {
				if n == 1 {
					return "1" + names[0]
				}
				return strconv.Itoa(n) + names[1]
			}
			switch {
			case firing == 0:
				return " (" + of(resolved) + ")"
			case resolved == 0:
				return " (" + of(firing) + ")"
			}
			return " (" + of(firing) + ", " + strconv.Itoa(resolved) + " more resolved)"
		},

		labels: map[string]string{
			alert.NameLabel:     "Alert",
			alert.ClusterLabel:  "Cluster",
			alert.GroupLabel:    "Group",
			alert.TopicLabel:    "Topic",
			alert.SeverityLabel: "Severity",
			alert.HostLabel:     "Host",
			alert.HostnameLabel: "Hostname",
			alert.InstanceLabel: "Instance",
		},

		rule:       "Rule",
		threshold:  "Threshold",
		partitions: "Worst partitions",
		members:    "Read by",
		unknown:    "Unknown partitions",
		started:    "Started",
		lastReport: "Last report",
		address:    "Last address",
		lastValues: "Last values",
		ended:      "Ended",
		detail:     "Details",
		cause:      "Cause",
		advice:     "What to do",

		source:    "Source",
		runbook:   "Runbook",
		dashboard: "Dashboard",
		allAlerts: "All alerts",

		lagHeadline: func(lag, threshold string) string {
			if threshold == "" {
				return countMessages(lag) + " behind"
			}
			return countMessages(lag) + " behind, threshold " + threshold
		},
		lagShortHeadline: func(lag, threshold, duration string) string {
			s := lag
			if threshold != "" {
				s += " / " + threshold
			}
			if duration != "" {
				s += " · for " + duration
			}
			return s
		},
		totalLag: func(sum, worst, name string) string {
			return countMessages(sum) + " behind in all, most of them in " + name + " (" + worst + ")"
		},
		notCounted: func(n string) string { return n + " could not be read and are not counted" },

		status: map[alert.LagStatus]string{alert.StatusStalled: "Stalled", alert.StatusStopped: "Stopped", alert.StatusHungTransaction: "Held back by a transaction", alert.StatusAhead: "Ahead of the log", alert.StatusRewind: "Set back", alert.StatusGrowing: "growing"},
		statusReason: map[alert.LagStatus]string{
			alert.StatusStalled:         "consumers are there, but commit nothing",
			alert.StatusStopped:         "no consumer is there",
			alert.StatusHungTransaction: "an open transaction holds back the messages after it",
			alert.StatusAhead:           "the offset is beyond the log end: the topic was created again, or lost data",
			alert.StatusRewind:          "the offset went back, messages are read again",
			alert.StatusGrowing:         "reads more slowly than is written",
		},
		comma:        ", ",
		state:        "State",
		growth:       "Growing",
		rate:         "Rates",
		readFrom:     "Source",
		lost:         func(n string) string { return countMessages(n) + " deleted unread" },
		oldestUnread: func(age string) string { return "oldest unread " + age + " ago" },
		drainsIn:     func(drain string) string { return "caught up in about " + drain },
		rates: func(in, out, drain string) string {
			s := in + "/s in, " + out + "/s out"
			if drain != "" {
				s += ", " + drain
			}
			return s
		},
		never:    "does not catch up",
		cloudAPI: "the cloud's API (Kafka's protocol cannot be reached)",

		resolvedAfter: func(duration string) string {
			if duration == "" {
				return "Resolved"
			}
			return "Resolved after " + duration
		},
		lagResolved: func(duration, lag string) string {
			s := "Resolved"
			if duration != "" {
				s += " after " + duration
			}
			if lag != "" {
				s += ", last reading " + lag
			}
			return s
		},
		allResolved: func(longest string) string { return "All resolved, the longest after " + longest },
		pollResolved: func(duration string) string {
			if duration == "" {
				return "Lag can be read again"
			}
			return "Lag can be read again after " + duration
		},
		hostResolved: func(duration string) string {
			if duration == "" {
				return "Reporting again"
			}
			return "Reporting again after " + duration
		},

		unwatched: func(place string) string { return "The lag of " + place + " is not watched: it can grow unseen" },
		partlyUnwatched: func(place string) string {
			return "The lag of " + place + " is not seen in full; what is seen is watched"
		},
		clusterOrGroup: func(cluster, group string) string {
			s := "the cluster"
			if cluster != "" {
				s = "cluster " + cluster
			}
			if group != "" {
				s = "group " + group + " in " + s
			}
			return s
		},
		pollAdvice: "Check the credentials, the network and Kafka itself; this resolves once lag can be read",
		noReportFor: func(duration string) string {
			if duration == "" {
				return "No report"
			}
			return "No report for " + duration
		},
		lasting: func(duration string) string { return "for " + duration },
		timeWithDuration: func(at, duration string) string {
			if duration == "" {
				return at
			}
			return at + " (for " + duration + ")"
		},

		merged: func(n int) string {
			return fmt.Sprintf("One message in place of %d: the channel takes no more at this pace", n)
		},
		fallbackFor: func(receiver, cause string) string {
			if cause == "" {
				return "Sent in place of " + receiver
			}
			return "Sent in place of " + receiver + ": " + cause
		},
		templateError: func(err string) string { return "The custom template failed, this is the built-in text: " + err },
		chartAlt:      func(title, span string) string { return "Lag of " + title + " over the last " + span },

		duration: func(d time.Duration) string { return humanize.Duration(d, "en") },
	}
}

// countMessages returns a number of messages.
func countMessages(n string) string {
	if n == "1" {
		return "1 message"
	}
	return n + " messages"
}
