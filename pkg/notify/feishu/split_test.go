package feishu

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"tocsin/pkg/localcloud/fault"
	server "tocsin/pkg/localcloud/feishu"
	"tocsin/pkg/notify/notifytest"
)

// Alerts that are each too long for a card, by characters that JSON or markdown
// make longer, are cut between characters; the server takes every part, also in
// the forms that stand in for a card.
func TestTooLong(t *testing.T) {
	const own = "{{ range .Alerts }}**{{ .Annotations.text }}**\n{{ end }}{{ template \"feishu.default\" . }}"
	for _, char := range []string{"中", `"`, "*", "<", "😀", "1."} {
		for _, config := range []Config{{}, {Message: own}, {Message: strings.Repeat(char, 50000)}, {Message: strings.Repeat(char+"\n", 9000), Title: strings.Repeat(char, 3000)}} {
			g := newGroup(t, "zh")
			config.At = At{OpenIDs: []string{member}, All: true}
			to, a := g.notifier(t, config), notifytest.DiskAlert(disk)[0]
			a.Annotations["text"] = strings.Repeat(char, 30000)
			for i := range 60 {
				a.Annotations[fmt.Sprintf("note-%02d", i)] = strings.Repeat(char, 3000)
			}
			g.say(t, to, notifytest.Notification(a))
			inbox := g.Inbox()
			for i, m := range inbox {
				if !utf8.ValidString(m.Content) || strings.Contains(m.Content, "\ufffd") || strings.Count(m.Content, "**")%2 != 0 && config.Message == own {
					t.Errorf("%q, part %d is broken", char, i+1)
				}
				for _, escape := range strings.Split(m.Content, "&#")[1:] {
					if end := strings.IndexByte(escape, ';'); config.Message == own && (end < 2 || end > 3) {
						t.Errorf("%q, part %d: half an escape in %.10q", char, i+1, escape)
					}
				}
			}
			if last := inbox[len(inbox)-1].Mentions; !slices.Equal(last, []string{"all", member}) {
				t.Errorf("%q mentions %q", char, last)
			}
			for _, code := range []int{11310, 11246} { // a text each; the card without mentions
				for range inbox {
					g.Inject(1, server.Reject(200, code, ""))
					g.Inject(1, fault.Pass)
				}
				g.say(t, to, notifytest.Notification(a))
			}
		}
	}
}
