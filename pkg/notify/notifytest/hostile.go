package notifytest

import (
	"fmt"
	"net/url"
	"strings"

	"tocsin/pkg/alert"
)

// Filled is a notification of count alerts that has a word in every place that
// an outsider can fill. With a lag they are alerts of lag, which "" leaves to
// the word.
func HostileNotification(word string, count int, lag string) *alert.Notification {
	n := Notification()
	n.FallbackFor, n.Cause = word, word
	for i := range count {
		a := &alert.Alert{
			Labels: alert.Labels{"alertname": word, "topic": word, "consumer_group": word, "cluster": word, "n": fmt.Sprint(i), "<" + word: word, "@" + word: word, word: word},
			Annotations: alert.Labels{"summary": word, "description": "remark", "<" + word: word, word: word, "lag": word, "threshold": word, "partitions": word,
				"unknown_partitions": word, "dashboard_url": "https://example.com/" + url.PathEscape(word)},
			GeneratorURL: "https://example.com/?q=" + strings.Map(printable, word), StartsAt: At,
		}
		if lag != "" {
			a.Annotations["lag"] = lag
		}
		n.Alerts = append(n.Alerts, a)
	}
	return n
}

// printable leaves out what an address cannot have at all, so that there is a
// link.
func printable(r rune) rune {
	if r < ' ' || r == '\u2028' || r == ' ' {
		return -1
	}
	return r
}
