package lag

import (
	"errors"
	"strings"
	"testing"

	"tocsin/pkg/store/memory"
)

// groupRule returns a rule about the group g.
func groupRule(t *testing.T, set func(*Rule)) Rule {
	t.Helper()
	r := Rule{Alert: "Group", Match: Match{ConsumerGroup: mustPattern(t, "g")}}
	set(&r)
	return r
}

// The states of a group, poll by poll, and the alert after each.
func TestConditionsOnGroups(t *testing.T) {
	empty := func(r *Rule) { r.State = []GroupState{GroupEmpty} }
	dead := func(r *Rule) { r.State = []GroupState{GroupDead} }
	rebalancing := func(r *Rule) { r.State = []GroupState{GroupRebalancing} }
	emptyOrDead := func(r *Rule) { r.State = []GroupState{GroupEmpty, GroupDead} }
	members := func(r *Rule) { r.MembersBelow = 1 }
	required := func(r *Rule) { r.Required = true }
	for name, tt := range map[string]struct {
		rule  func(*Rule)
		polls string // states; absent: not listed, fails: not described, unlisted: the list is not complete
		want  string // of each poll: - no alert, ! firing, . ended
	}{
		"empty":                                     {empty, "Stable Empty Empty Stable Stable", "- ! ! . -"},
		"empty, in any case":                        {empty, "EMPTY", "!"},
		"empty, then not described":                 {empty, "Empty fails Empty Stable", "! - ! ."},
		"not described is not empty":                {empty, "fails Stable", "- -"},
		"rebalancing, classic":                      {rebalancing, "PreparingRebalance CompletingRebalance Stable", "! ! ."},
		"rebalancing, consumer protocol":            {rebalancing, "Assigning Reconciling Stable", "! ! ."},
		"dead is absent":                            {dead, "Stable absent Stable", "- ! ."},
		"absent is not empty":                       {empty, "Empty absent", "! ."},
		"empty to dead is one alert":                {emptyOrDead, "Empty absent Stable", "! ! ."},
		"too few members":                           {members, "Stable Empty Stable", "- ! ."},
		"too few members, none of an absent group":  {members, "absent Stable", "! ."},
		"required and there":                        {required, "Stable Empty", "- -"},
		"required and absent":                       {required, "Stable absent absent Stable", "- ! ! ."},
		"required, the list is not complete":        {required, "unlisted absent unlisted Stable", "- ! - ."},
		"required, dead by its coordinator's words": {required, "Dead Stable", "! ."},
		"required, not described":                   {required, "absent fails Stable", "! - ."},
	} {
		t.Run(name, func(t *testing.T) {
			r, rec := &fakeReader{}, &ingestRecorder{}
			w := newRuleWatcher(memory.New(), rec, r, groupRule(t, tt.rule))
			var got []string
			for minute, state := range strings.Fields(tt.polls) {
				r.groups, r.listErr, r.describeErr, r.states = []Group{newGroup("g")}, nil, nil, map[string]string{"g": state}
				switch state {
				case "absent":
					r.groups = nil
				case "unlisted":
					r.groups, r.listErr = nil, errors.New("no answer in time")
				case "fails":
					r.describeErr = errDenied
				}
				mustPoll(t, w, float64(minute))
				mark := "-"
				if a := rec.last("Group"); a.Name() != "" {
					mark = "!"
					if !a.EndsAt.IsZero() {
						mark = "."
					}
					if topic, found := a.Labels["topic"]; found {
						t.Errorf("topic = %q, want no label", topic)
					}
				}
				rec.take()
				got = append(got, mark)
			}
			if got := strings.Join(got, " "); got != tt.want {
				t.Errorf("alerts = %q, want %q", got, tt.want)
			}
		})
	}
}

// A required group that no broker lists while its coordinator is away is looked up.
func TestRequiredGroupIsLookedUp(t *testing.T) {
	away := newGroup("g")
	away.Err = errors.New("the coordinator is away")
	r, rec := &fakeReader{unlisted: []Group{away}, describeErr: away.Err}, &ingestRecorder{}
	mustPoll(t, newRuleWatcher(memory.New(), rec, r, groupRule(t, func(r *Rule) { r.Required = true })), 0)
	wantAlerts(t, rec, 0, "")
}

func TestMaxLagByGroup(t *testing.T) {
	rule := Rule{Alert: "Group", MaxLag: ptr(100), By: ByGroup}
	for name, tt := range map[string]struct {
		topics []Topic
		want   string
	}{
		"the sum is above the limit":             {[]Topic{newTopic("a", "40 30"), newTopic("b", "31")}, "Group g since 08:00:00 firing lag=101"},
		"the sum is at the limit":                {[]Topic{newTopic("a", "40 30"), newTopic("b", "30")}, ""},
		"the known partitions are above it":      {[]Topic{newTopic("a", "101"), newTopic("b", "?")}, "Group g since 08:00:00 firing lag=101"},
		"partitions without a commit do not add": {[]Topic{newTopic("a", "100"), newTopic("b", "-")}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r, rec := &fakeReader{groups: []Group{newGroup("g", tt.topics...)}}, &ingestRecorder{}
			mustPoll(t, newRuleWatcher(memory.New(), rec, r, rule), 0)
			wantAlerts(t, rec, 0, tt.want)
		})
	}
	t.Run("a topic that cannot be read keeps the alert", func(t *testing.T) {
		e := NewEvaluator([]Rule{rule}, "c", "en")
		state, _ := e.Evaluate(nil, newSnapshot(newGroup("g", newTopic("a", "101"))), at(0))
		state, alerts := e.Evaluate(state, newSnapshot(newGroup("g", newTopic("a", "?"), newTopic("b", "5"))), at(1))
		if got := summarize(alerts); got != "" || state.firing() != 1 {
			t.Errorf("alerts = %q, firing = %d, want none and 1", got, state.firing())
		}
		_, alerts = e.Evaluate(state, newSnapshot(newGroup("g", newTopic("a", "3"), newTopic("b", "5"))), at(2))
		if got, want := summarize(alerts), "Group g since 08:00:00 ended 08:02:00 lag=8"; got != want {
			t.Errorf("alerts = %q, want %q", got, want)
		}
	})
}

// Groups are described only where a rule needs it, each once.
func TestGroupsAreDescribedForRulesThatNeedIt(t *testing.T) {
	groups := []Group{newGroup("g", newTopic("t", "5")), newGroup("h", newTopic("t", "5"))}
	for name, tt := range map[string]struct {
		set  func(*Rule)
		want string
	}{
		"state":                        {func(r *Rule) { r.State = []GroupState{GroupEmpty} }, "describe g"},
		"members_below":                {func(r *Rule) { r.MembersBelow = 2 }, "describe g"},
		"required, with commits":       {func(r *Rule) { r.Required = true }, ""},
		"lag by group, below":          {func(r *Rule) { r.MaxLag, r.By = ptr(5), ByGroup }, ""},
		"lag by group, would fire":     {func(r *Rule) { r.MaxLag, r.By = ptr(4), ByGroup }, "describe g"},
		"lag of topics, would resolve": {func(r *Rule) { r.MaxLag = ptr(5) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r, rec := &fakeReader{groups: groups}, &ingestRecorder{}
			mustPoll(t, newRuleWatcher(memory.New(), rec, r, groupRule(t, tt.set)), 0)
			if got := r.takeQueries(); got != tt.want {
				t.Errorf("queries = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestGroupSummaries(t *testing.T) {
	absent := newSnapshot()
	for language, want := range map[string]string{"en": "g: does not exist", "zh": "消费组 g：不存在"} {
		alerts := lastAlerts(NewEvaluator([]Rule{groupRule(t, func(r *Rule) { r.Required = true })}, "c", language), absent)
		if len(alerts) != 1 {
			t.Fatalf("%d alerts, want 1", len(alerts))
		}
		wantAnnotations(t, alerts[0], map[string]string{"summary": want})
	}
	stable := newGroup("g")
	stable.State = "Stable"
	alerts := lastAlerts(NewEvaluator([]Rule{groupRule(t, func(r *Rule) { r.MembersBelow = 2 })}, "c", "en"), newSnapshot(stable))
	if len(alerts) != 1 {
		t.Fatalf("%d alerts, want 1", len(alerts))
	}
	wantAnnotations(t, alerts[0], map[string]string{"summary": "g: members: 0, at least 2 expected"})
}

func TestGroupRuleFaults(t *testing.T) {
	for text, want := range map[string]string{
		"state: [empty, dead, rebalancing]":               "",
		"members_below: 2":                                "",
		"match: {consumer_group: orders}, required: true": "",
		"max_lag: 5, by: group":                           "",
		"state: [empyt]":                                  `rules.0.state.0 "empyt" is not one of empty, dead, rebalancing`,
		"members_below: -1, max_lag: 1":                   "rules.0.members_below must be 1 or more, not -1",
		"required: true":                                  "rules.0.required needs the name of one group as match.consumer_group",
		"max_lag: 5, by: topic":                           `rules.0.by "topic" is not group: leave it out for a rule about single topics`,
		"state: [empty], max_lag: 5":                      "rules.0 has conditions on topics and conditions on groups: use a rule for each, or max_lag with by: group",
		"match: {consumer_group: orders}, required: true, state: [dead]": "rules.0.required is met while the group does not exist: use a rule of its own",
	} {
		t.Run(text, func(t *testing.T) {
			if _, got := loadConfig(t, oneCluster+"rules: [{alert: A, "+text+"}]"); strings.TrimSpace(got) != want {
				t.Errorf("faults = %q, want %q", got, want)
			}
		})
	}
}

func TestRequiredGroupThatIsNotWatchedIsAWarning(t *testing.T) {
	cluster := `
clusters: [{name: c, ckafka: {instance_id: ckafka-1, region: ap-guangzhou}, groups: {exclude: ["test-.*"]}}]
`
	for group, want := range map[string]string{
		"orders":   "",
		"test-one": "warning: rules.0.required groups of the cluster c leave out test-one, so the rule never fires there",
	} {
		if _, got := loadConfig(t, cluster+"rules: [{alert: A, match: {consumer_group: "+group+"}, required: true}]"); got != want {
			t.Errorf("faults of %s = %q, want %q", group, got, want)
		}
	}
}
