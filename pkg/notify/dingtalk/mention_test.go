package dingtalk

import (
	"slices"
	"strings"
	"testing"

	"tocsin/pkg/alert"
	"tocsin/pkg/notify/notifytest"
)

func TestMention(t *testing.T) {
	named := []*alert.Alert{{Labels: alert.Labels{"alertname": "A"}, StartsAt: notifytest.At,
		Annotations: alert.Labels{"phones": "13800000001, +8613800000000;x、13800000001", "bad": "@all all 所有人 @13900000000 u\u200b1"}}}
	tests := []struct {
		name           string
		at             At
		alerts         []*alert.Alert
		mobiles, users []string
		all            bool
	}{
		{"no mentions", At{}, notifytest.OneTopic(), nil, nil, false},
		{"phones", At{Mobiles: []string{"13800000000", "13800000001"}}, notifytest.OneTopic(), []string{"13800000000", "13800000001"}, nil, false},
		{"users", At{Users: []string{"u_1", "zhang-san"}}, notifytest.OneTopic(), nil, []string{"u_1", "zhang-san"}, false},
		{"everybody", At{All: true}, notifytest.OneTopic(), nil, nil, true},
		{"everybody, phones and users", At{All: true, Mobiles: []string{"13800000000"}, Users: []string{"u1"}}, notifytest.OneTopic(), []string{"13800000000"}, []string{"u1"}, true},
		{"a phone with its country", At{Mobiles: []string{"+8613800000000", "+852-00000000"}}, notifytest.OneTopic(), []string{"13800000000", "+852-00000000"}, nil, false},
		{"a phone that is the beginning of another", At{Mobiles: []string{"138000000001", "13800000000"}}, notifytest.OneTopic(), []string{"138000000001", "13800000000"}, nil, false},
		{"no mentions of resolved alerts", At{All: true, Mobiles: []string{"13800000000"}, Users: []string{"u1"}}, notifytest.Resolved(notifytest.OneTopic()...), nil, nil, false},
		{"people that the alert names", At{Mobiles: []string{"{{ .CommonAnnotations.phones }}", "13800000000"}, Users: []string{"{{ .CommonAnnotations.bad }}", "{{ index .Alerts 9 }}", "u1"}}, named,
			[]string{"13800000001", "13800000000"}, []string{"u1"}, false},
	}
	for _, tt := range tests {
		for _, kind := range []string{"markdown", "text"} {
			for _, language := range []string{"zh", "en"} {
				t.Run(strings.Join([]string{tt.name, kind, language}, "/"), func(t *testing.T) {
					g := newGroup(t, language)
					sent := notifytest.RecordBodies(g.Env)
					// The fake notifies only people who are in the list and in the text.
					notifytest.SendAll(t, g.notifier(t, Config{Type: kind, At: tt.at}), notifytest.Notification(tt.alerts...))
					m := g.Inbox()[0]
					if !slices.Equal(m.Mobiles, tt.mobiles) || !slices.Equal(m.Users, tt.users) || m.All != tt.all {
						t.Errorf("got mentions of %v, %v, all %v; want %v, %v, %v", m.Mobiles, m.Users, m.All, tt.mobiles, tt.users, tt.all)
					}
					people := len(tt.mobiles) + len(tt.users)
					if tt.all {
						people++
					}
					if n := strings.Count(m.Text, "@"); n != people {
						t.Errorf("got %d @ in the text, want %d:\n%s", n, people, m.Text)
					}
					if strings.Contains((*sent)[0], `"at":`) != (people > 0) {
						t.Errorf("got %s, want the key at only with mentions", (*sent)[0])
					}
				})
			}
		}
	}
}
