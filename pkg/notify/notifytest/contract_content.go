package notifytest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"tocsin/pkg/alert"
	"tocsin/pkg/notify"
)

// lagging returns a notification of n lagging topics, topic-000 with the largest lag.
func lagging(n int) *alert.Notification {
	out := Notification()
	for i := range n {
		out.Alerts = append(out.Alerts, LagAlert(fmt.Sprintf("topic-%03d", i), fmt.Sprint(99999-i), time.Hour))
	}
	return out
}

// testSplitting checks that a long notification is split between alerts into parts within
// the limit, and that a single alert above the limit is truncated between characters. A
// channel without a limit makes one message of any length.
func (ch Channel[C]) testSplitting(t *testing.T) {
	if ch.Limit == 0 {
		v := ch.Start(t)
		if got := Messages(t, New(t, v.Config, v.Env), lagging(500)); len(got) != 1 {
			t.Errorf("got %d messages, want 1", len(got))
		}
		return
	}
	for _, variant := range append([]Variant[C]{{Name: "valid configuration", Change: func(C) {}, Splits: true}}, ch.Variants...) {
		if !variant.Splits {
			continue
		}
		for name, limit := range map[string]int{"usual size": ch.Limit, "half size": ch.Limit / 2} {
			t.Run(variant.Name+"/"+name, func(t *testing.T) {
				v := ch.Start(t)
				variant.Change(v.Config)
				n := lagging(ch.SplitAlerts)
				n.HalfSize = limit < ch.Limit
				to := New(t, v.Config, v.Env)
				messages := v.send(t, to, n)
				parts := v.Received(0)
				checkParts(t, messages, parts, limit)
				checkTopics(t, parts, ch.SplitAlerts)
				n.AcceptedUnits = messages[0].Units
				if got, want := describe(Messages(t, to, n)), describe(messages[1:]); !slices.EqualFunc(got, want, func(a, b description) bool { return a.Text == b.Text && slices.Equal(a.Units, b.Units) }) {
					t.Errorf("got the messages %+v after the first part was accepted, want the others unchanged, %+v", got, want)
				}
			})
		}
	}
	for _, char := range []string{"x", "中", `"`, "*", "<", "&", "😀", "1.", "\n"} {
		t.Run(fmt.Sprintf("one long alert of %q", char), func(t *testing.T) {
			v := ch.Start(t)
			a := DiskAlert(alert.Labels{"summary": "full", "text": strings.Repeat(char, 30_000)})
			for i := range 60 {
				a[0].Annotations[fmt.Sprintf("note-%02d", i)] = strings.Repeat(char, 3000)
			}
			v.send(t, New(t, v.Config, v.Env), Notification(a...))
			for i, p := range v.Received(0) {
				if p.Size > ch.Limit || !utf8.ValidString(p.Text) || strings.Contains(p.Text, "\ufffd") {
					t.Errorf("got part %d of size %d, want at most %d, and whole characters", i+1, p.Size, ch.Limit)
				}
			}
		})
	}
}

// checkParts checks the parts of a notification, each of which is a message.
func checkParts(t *testing.T, messages []notify.Message, parts []Received, limit int) {
	t.Helper()
	if len(messages) < 2 || len(parts) != len(messages) {
		t.Fatalf("got %d messages and %d parts, want equal numbers of at least 2", len(messages), len(parts))
	}
	for i, p := range parts {
		unit := fmt.Sprintf("%d/%d", i+1, len(parts))
		if p.Size > limit || !utf8.ValidString(p.Text) {
			t.Errorf("got part %s of size %d, want at most %d, in UTF-8", unit, p.Size, limit)
		}
		if i+1 < len(parts) && p.Size < limit*8/10 {
			t.Errorf("got part %s of size %d, want it to fill the limit of %d", unit, p.Size, limit)
		}
		if !strings.HasPrefix(messages[i].Units[0], unit) {
			t.Errorf("got units %q, want the first to begin with %q", messages[i].Units, unit)
		}
		if !strings.Contains(p.Text, "("+unit+")") {
			t.Errorf("got %.200q, want (%s) in it", p.Text, unit)
		}
	}
}

// checkTopics checks that the parts contain all topics of lagging(n) in their order, each
// on one line.
func checkTopics(t *testing.T, parts []Received, n int) {
	t.Helper()
	next := 0
	for i, p := range parts {
		for line := range strings.SplitSeq(p.Text, "\n") {
			rest, found := strings.CutPrefix(strings.TrimLeft(line, " *•>"), "topic-")
			if !found {
				continue
			}
			if want := fmt.Sprintf("%03d", next); !strings.HasPrefix(rest, want) || !strings.Contains(line, Grouped(fmt.Sprint(99999-next))) {
				t.Fatalf("got line %q in part %d, want topic-%s with its lag", line, i+1, want)
			}
			next++
		}
	}
	if next != n {
		t.Errorf("got %d topics in %d parts, want %d", next, len(parts), n)
	}
}

// testTemplates checks what is sent when a template fails while a notification is
// rendered.
func (ch Channel[C]) testTemplates(t *testing.T) {
	failures := map[string]struct{ template, why string }{
		"field does not exist":   {"{{ .Nope }}", "can't evaluate field Nope"},
		"index out of range":     {"{{ (index .Alerts 7).Labels.x }}", "index out of range"},
		"bad regular expression": {`{{ reReplaceAll "(" "" "x" }}`, "missing closing"},
		"output is too long":     {"{{ range 99999 }}" + strings.Repeat("x", 99) + "{{ end }}", "more than 1 MiB"},
		"output is empty":        {`{{ "  \n" }}`, "it prints nothing"},
	}
	for _, key := range ch.Templates {
		for name, f := range failures {
			if name == "output is empty" && !key.EmptyFails {
				continue
			}
			t.Run(key.Key+"/"+name, func(t *testing.T) {
				v := ch.Start(t)
				failed := 0
				v.Env.OnTemplateError = func() { failed++ }
				key.Set(v.Config, f.template)
				n := Notification(OneTopic()...)
				to := New(t, v.Config, v.Env)
				if key.OnFailure == Permanent {
					_, err := to.Messages(n)
					if err == nil || !strings.Contains(err.Error(), key.Key) || notify.AsError(err).Class != notify.Retry && notify.AsError(err).Class != notify.Permanent {
						t.Errorf("got error %v, want one that names %s", err, key.Key)
					}
					checkHidden(t, ch.secrets(), "the error", fmt.Sprint(err))
					return
				}
				v.send(t, to, n)
				received := v.Received(0)
				if len(received) == 0 {
					t.Fatal("got no message")
				}
				want := []string{"12,345", "自定义模板出错", key.Key, f.why}
				switch {
				case key.OnFailure == ShortText && name == "output is empty":
					want = []string{"-"}
				case key.OnFailure == ShortText:
					want = []string{"消费积压", "模板出错"}
				}
				if name != "output is empty" && failed == 0 {
					t.Error("got no call of OnTemplateError, want one: the failure is counted")
				}
				for _, part := range want {
					if !strings.Contains(received[0].Text, part) {
						t.Errorf("got %q, want %q in it", received[0].Text, part)
					}
				}
			})
		}
	}
}

// testInjection sends the same notification with a harmless word and with each hostile
// one, in every place that an outsider can fill. The hostile one must neither add markup
// nor mention other people.
func (ch Channel[C]) testInjection(t *testing.T) {
	variants := append([]Variant[C]{{Name: "valid configuration", Change: func(C) {}}}, ch.Variants...)
	for _, variant := range variants {
		t.Run(variant.Name, func(t *testing.T) {
			v := ch.Start(t)
			variant.Change(v.Config)
			if variant.BeforeSend != nil {
				vendors := v.BeforeSend
				v.BeforeSend = func() {
					if vendors != nil {
						vendors()
					}
					variant.BeforeSend(v)
				}
			}
			to, skip := New(t, v.Config, v.Env), 0
			for _, count := range []int{1, 2, 7} {
				for _, lag := range []string{"", "3000"} {
					received := func(word string) (markup map[string]int, mentions []string, parts int) {
						t.Helper()
						n := HostileNotification(word, count, lag)
						n.HalfSize = variant.HalfSize
						v.send(t, to, n)
						messages := v.Received(skip)
						skip += len(messages)
						markup, mentions = total(messages)
						return markup, mentions, len(messages)
					}
					wantMarkup, wantMentions, wantParts := received("x")
					for _, word := range Hostile {
						markup, mentions, parts := received(word)
						for kind, got := range markup {
							// A longer message may have more parts, each with the markup of its title.
							if want := wantMarkup[kind] * max(1, parts-wantParts+1); got > want {
								t.Errorf("%d alerts, %.60q: got %d of %s, want at most %d", count, word, got, kind, want)
							}
						}
						if !slices.Equal(mentions, wantMentions) {
							t.Errorf("%d alerts, %.60q: got mentions of %q, want %q", count, word, mentions, wantMentions)
						}
					}
				}
			}
		})
	}
}

// total returns the sum of the markup of messages, and their mentions. Characters that no
// message may contain count as markup.
func total(messages []Received) (markup map[string]int, mentions []string) {
	markup = map[string]int{}
	for _, m := range messages {
		for kind, n := range m.Markup {
			markup[kind] += n
		}
		for name, char := range map[string]string{"NUL": "\x00", "line separators": "\u2028", "replacement characters": "\ufffd", "direction overrides": "\u202e"} {
			markup[name] += strings.Count(m.Text, char)
		}
		mentions = append(mentions, m.Mentions...)
	}
	slices.Sort(mentions)
	return markup, slices.Compact(mentions)
}
