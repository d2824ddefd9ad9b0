package lag

import (
	"testing"

	"tocsin/pkg/alert"
	"tocsin/pkg/store/memory"
)

func TestNothingToWatch(t *testing.T) {
	g, named := newGroup("order-a", newTopic("t", "0")), Group{Name: "order", Complete: true}
	const fires = "TocsinNothingToWatch since 08:00:00 firing"
	for name, tt := range map[string]struct {
		include     []string
		groups      []Group
		want        string // at the fifth poll
		description string
	}{
		"no groups":                      {nil, nil, fires, "Five polls in a row found no consumer group. Check"},
		"a group":                        {nil, []Group{g}, "", ""},
		"a group without commits":        {nil, []Group{{Name: "new", Complete: true}}, "", ""},
		"an include that matches":        {[]string{"order-.*"}, []Group{g}, "", ""},
		"an include with a typo":         {[]string{"order-.*", "oder-.*"}, []Group{g}, fires, `found no consumer group that matches "oder-.*" of include. Check`},
		"a name with a typo":             {[]string{"order"}, []Group{named}, fires, "Five polls in a row found no consumer group. Check"},
		"a name that cannot be read":     {[]string{"order"}, []Group{{Name: "order", Err: errDenied}}, "TocsinPollFailed order since 08:00:00 firing", ""},
		"an incomplete list is no proof": {[]string{"order-.*", "b.*"}, nil, "TocsinPollFailed since 08:00:00 firing", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r, rec := &fakeReader{groups: tt.groups}, &ingestRecorder{}
			if name == "an incomplete list is no proof" {
				r.listErr = errDenied
			}
			w := newRuleWatcher(memory.New(), rec, r, lagRule(2000))
			for _, p := range tt.include {
				w.Config.Clusters[0].Groups.Include = append(w.Config.Clusters[0].Groups.Include, mustPattern(t, p))
			}
			for minute := range 5 {
				rec.received = nil
				mustPoll(t, w, float64(minute))
				if rec.last(alert.NothingToWatchAlert).Labels != nil && minute < 4 {
					t.Fatalf("fires at poll %d, want the fifth", minute+1)
				}
			}
			if tt.description != "" {
				wantInDescription(t, rec.last(alert.NothingToWatchAlert), tt.description)
			}
			wantAlerts(t, rec, 4, tt.want)
			if tt.want != fires {
				return
			}
			mustPollAlerts(t, w, rec, 5, fires)
			r.groups = append(r.groups, newGroup("order", newTopic("t", "0")), newGroup("oder-b", newTopic("t", "0")))
			mustPollAlerts(t, w, rec, 6, "TocsinNothingToWatch since 08:00:00 ended 08:06:00")
			mustPollAlerts(t, w, rec, 7, "")
		})
	}
	t.Run("ends with the cluster", func(t *testing.T) {
		rec, st := &ingestRecorder{}, memory.New()
		w := newRuleWatcher(st, rec, &fakeReader{}, lagRule(2000))
		for minute := range 5 {
			mustPoll(t, w, float64(minute))
		}
		w.Config.Clusters, w.Readers = nil, nil
		rec.received = nil
		mustPollAlerts(t, w, rec, 5, "TocsinNothingToWatch since 08:00:00 ended 08:05:00")
	})
}
