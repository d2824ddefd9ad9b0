package feishu

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"tocsin/pkg/alert"
	"tocsin/pkg/localcloud/fault"
	server "tocsin/pkg/localcloud/feishu"
	"tocsin/pkg/notify/notifytest"
)

// topics are n topics that lag, the first by most.
func topics(n int) []*alert.Alert {
	out := make([]*alert.Alert, n)
	for i := range out {
		out[i] = notifytest.LagAlert(fmt.Sprintf("topic-%03d", i), fmt.Sprint(99999-i), time.Hour)
	}
	return out
}

// Nine hundred topics do not fit into one card. Each part keeps the limit, and
// each topic is said once, the worst first.
func TestSplit(t *testing.T) {
	for _, limit := range []int{20000, 10000} {
		g := newGroup(t, "zh")
		sizes := g.measure()
		n := notifytest.Notification(topics(900)...)
		n.HalfSize = limit == 10000
		messages := g.say(t, g.notifier(t, Config{}), n)
		next := 0
		for i, m := range g.Inbox() {
			if size := (*sizes)[i]; size > limit || i+1 < len(messages) && size < limit*8/10 {
				t.Errorf("part %d has %d bytes", i+1, size)
			}
			unit := fmt.Sprintf("%d/%d", i+1, len(messages))
			if !strings.HasSuffix(m.Title, "（900 个 topic） ("+unit+")") || messages[i].Units[0] != unit || m.Color != "orange" {
				t.Errorf("part %d: %s, units %v", i+1, m.Title, messages[i].Units)
			}
			for line := range strings.SplitSeq(m.Content, "\n") {
				if strings.HasPrefix(line, "**topic-") {
					if want := fmt.Sprintf("**topic-%03d** ", next); !strings.HasPrefix(line, want) {
						t.Errorf("%q, want %s", line, want)
					}
					next++
				}
			}
		}
		if next != 900 || len(messages) < 2 {
			t.Errorf("%d topics said in %d cards", next, len(messages))
		}
		n.AcceptedUnits = []string{messages[0].Units[0]}
		if rest, err := g.notifier(t, Config{}).Messages(n); err != nil || len(rest) != len(messages)-1 || rest[0].Units[0] != messages[1].Units[0] {
			t.Errorf("%d messages left, %v", len(rest), err)
		}
	}
}

// measure notes how long the bodies of requests are.
func (g *group) measure() *[]int {
	sizes := &[]int{}
	g.Inject(1000, func(_ http.ResponseWriter, r *http.Request, next func()) {
		*sizes = append(*sizes, int(r.ContentLength))
		next()
	})
	return sizes
}

// Alerts that are each too long for a card, by characters that JSON or markdown
// make longer, are cut between characters; the server takes every part, also in
// the forms that stand in for a card.
func TestTooLong(t *testing.T) {
	const own = "{{ range .Alerts }}**{{ .Annotations.text }}**\n{{ end }}{{ template \"feishu.default\" . }}"
	for _, char := range []string{"中", `"`, "*", "<", "😀", "1."} {
		for _, config := range []Config{{}, {Message: own}, {Message: strings.Repeat(char, 50000)}, {Message: strings.Repeat(char+"\n", 9000), Title: strings.Repeat(char, 3000)}} {
			g := newGroup(t, "zh")
			config.At = At{OpenIDs: []string{member}, All: true}
			to, a := g.notifier(t, config), disk()[0]
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
