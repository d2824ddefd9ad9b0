package api_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
)

// scene are the alerts of the following tests.
const scene = `[
	{"labels":{"alertname":"A","zone":"z1","severity":"critical","instance":"i2"},"annotations":{"summary":"s<&>中"},"generatorURL":"http://p.example.com/g?x=1&y=2"},
	{"labels":{"alertname":"B","zone":"z1","severity":"warning"}},
	{"labels":{"alertname":"A","zone":"z2","severity":"warning","team":"db","instance":"i1"},"startsAt":"2026-11-20T10:00:00.123456+08:00"},
	{"labels":{"alertname":"C","job":"x"}},
	{"labels":{"alertname":"over"},"endsAt":"2026-11-20T10:00:00Z"},
	{"labels":{"alertname":"later"},"endsAt":"2030-01-01T10:00:00Z"}]`

// newScene returns an API with the scene and a silence of alert C.
func newScene(t *testing.T) (a *testAPI, silenceID string) {
	a = newTestAPI(t)
	a.mustPost("/api/v2/alerts", scene)
	return a, a.silence(silence(`{"name":"alertname","value":"C","isRegex":false}`))
}

// names returns the alertname and the zone of the alerts of a response, or its error.
func (a *testAPI) names(path string) string {
	a.t.Helper()
	status, body := a.get(path)
	if status != 200 {
		return body
	}
	var alerts []struct{ Labels map[string]string }
	decode(a.t, body, &alerts)
	var names []string
	for _, a := range alerts {
		names = append(names, a.Labels["alertname"]+a.Labels["zone"])
	}
	return strings.Join(names, " ")
}

// TestGetAlerts compares with Alertmanager's response for the same scene.
func TestGetAlerts(t *testing.T) {
	a, id := newScene(t)
	status := func(inhibited, muted, silenced, state string) string {
		return fmt.Sprintf(`"status":{"inhibitedBy":[%s],"mutedBy":[%s],"silencedBy":[%s],"state":%q}`, inhibited, muted, silenced, state)
	}
	const now, ends = `"updatedAt":"2026-11-20T22:00:00.123Z","startsAt":"2026-11-20T22:00:00.123Z"`, `"endsAt":"2026-11-20T22:05:00.123Z"`
	a2 := func(receivers, muted, state string) string {
		return `{"annotations":{},` + ends + `,"fingerprint":"63c32595676c2754","receivers":[` + receivers + `],"startsAt":"2026-11-20T10:00:00.123+08:00","updatedAt":"2026-11-20T22:00:00.123Z",` +
			status("", muted, "", state) + `,"labels":{"alertname":"A","instance":"i1","severity":"warning","team":"db","zone":"z2"}}`
	}
	c := `{"annotations":{},` + ends + `,"fingerprint":"7d2180b104be3ae0","receivers":[{"name":"ops"}],` + now + `,` + status("", "", `"`+id+`"`, "suppressed") + `,"labels":{"alertname":"C","job":"x"}}`
	b := `{"annotations":{},` + ends + `,"fingerprint":"91c89f9c15502ff2","receivers":[{"name":"ops"}],` + now + `,` + status(`"eac67a974bf52932"`, "", "", "suppressed") + `,"labels":{"alertname":"B","severity":"warning","zone":"z1"}}`
	later := `{"annotations":{},"endsAt":"2030-01-01T10:00:00.000Z","fingerprint":"9aca725ef1e13cfc","receivers":[{"name":"ops"}],"startsAt":"2030-01-01T10:00:00.000Z","updatedAt":"2026-11-20T22:00:00.123Z",` + status("", "", "", "active") + `,"labels":{"alertname":"later"}}`
	a1 := `{"annotations":{"summary":"s<&>中"},` + ends + `,"fingerprint":"eac67a974bf52932","receivers":[{"name":"ops"}],` + now + `,` + status("", "", "", "active") + `,"generatorURL":"http://p.example.com/g?x=1&y=2","labels":{"alertname":"A","instance":"i2","severity":"critical","zone":"z1"}}`
	both := `{"name":"dba"},{"name":"night"}`

	_, body := a.get("/api/v2/alerts")
	if want := "[" + a2(both, "", "active") + "," + c + "," + b + "," + later + "," + a1 + "]"; !sameJSON(t, body, want) {
		t.Errorf("alerts:\n got %s\nwant %s", body, want)
	}

	group := func(receiver, name, alerts string) string {
		return `{"alerts":[` + alerts + `],"labels":{"alertname":"` + name + `"},"receiver":{"name":"` + receiver + `"},"routeLabels":{"tier":"a"}}`
	}
	_, body = a.get("/api/v2/alerts/groups")
	want := "[" + group("dba", "A", a2(both, "", "active")) + "," + group("night", "A", a2(both, `"always"`, "suppressed")) + "," + group("ops", "A", a1) + "," +
		group("ops", "B", b) + "," + group("ops", "C", c) + "," + group("ops", "later", later) + "]"
	if !sameJSON(t, body, want) {
		t.Errorf("groups:\n got %s\nwant %s", body, want)
	}
}

// TestAlertQueries compares with the alerts that Alertmanager returns for the same scene.
func TestAlertQueries(t *testing.T) {
	const all = "Az2 C Bz1 later Az1"
	a, _ := newScene(t)
	for query, want := range map[string]string{
		"":                               all,
		"active=false":                   "C Bz1",
		"silenced=false":                 "Az2 Bz1 later Az1",
		"inhibited=false":                "Az2 C later Az1",
		"silenced=false&inhibited=false": "Az2 later Az1",
		"active=false&silenced=false&inhibited=false":   "",
		"unprocessed=false":                             all,
		"active=true&silenced=false&unprocessed=false":  "Az2 Bz1 later Az1",
		"receiver=dba":                                  "Az2",
		"receiver=d":                                    "", // anchored
		"receiver=.*b.*":                                "Az2",
		"receiver=dba|ops":                              all,
		"receiver=":                                     all,
		"receiver=ops&receiver=dba":                     "Az2", // the last value wins
		`receiver_matchers=owner="data"`:                "Az2",
		`receiver_matchers=nope="x"`:                    "",
		`receiver_matchers=nope=""`:                     all,
		`receiver_matchers=owner="data"&receiver=night`: "Az2", // another receiver of the same alert
		`receiver_matchers=name="ops"&receiver=night`:   "",
		`filter=alertname="A"`:                          "Az2 Az1",
		`filter=alertname=A`:                            "Az2 Az1",
		`filter=alertname="A"&filter=zone="z2"`:         "Az2",
		`filter=alertname="A"&filter=alertname="B"`:     "",
		`filter=team=""`:                                "C Bz1 later Az1",
		`filter=team!=""`:                               "Az2",
		`filter=team=~""`:                               "C Bz1 later Az1",
		`filter=team=~".*"`:                             all,
		`filter=team!~".+"`:                             "C Bz1 later Az1",
		`filter=alertname=A,zone=z2`:                    "", // one matcher, as in Alertmanager
		`filter={alertname="A"}`:                        `"unexpected open or close brace: {alertname=\"A\"}"`,
		`filter="alertname"="C"`:                        "C",
		"active=no":                                     "C Bz1",
		"active=maybe":                                  "C Bz1",
		"active=0":                                      "C Bz1",
		"active=true&active=false":                      "C Bz1",
		"active=false&active=true":                      all,
		"bogus=1":                                       all,
		"active=":                                       all,
		"active=1":                                      all,
		"active=TRUE":                                   all,
		"active=y":                                      all,
		"active=yes":                                    all,
		"active=on":                                     all,
		"active=t":                                      all,
		"active=ok":                                     all,
		`filter=alertname=~"` + strings.Repeat("a", 8193) + `"`: `"a matcher is longer than 8192 bytes"`,
		"receiver=" + strings.Repeat("a", 8193):                 `"failed to parse receiver param: longer than 8192 bytes"`,
		strings.Repeat("filter=a=b&", 101):                      `"more than 100 matchers"`,
	} {
		t.Run(fmt.Sprintf("%.80s", query), func(t *testing.T) {
			if got := a.names("/api/v2/alerts?" + escapeQuery(query)); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

// TestGroupQueries is TestAlertQueries for groups, as the receiver, the alerts and their
// receivers.
func TestGroupQueries(t *testing.T) {
	const (
		dba, night, a1, b, c, later = "dba Az2[dba night]", "night Az2[dba night]", "ops Az1[ops]", "ops Bz1[ops]", "ops C[ops]", "ops later[ops]"
	)
	a, _ := newScene(t)
	for query, want := range map[string][]string{
		"":                               {dba, night, a1, b, c, later},
		"muted=true":                     {dba, night, a1, b, c, later},
		"muted=false":                    {dba, a1, b, c, later},
		"active=false":                   {b, c},
		"active=false&muted=false":       {b, c},
		"silenced=false":                 {dba, night, a1, b, later},
		"inhibited=false":                {dba, night, a1, c, later},
		"receiver=dba":                   {"dba Az2[dba]"},
		"receiver=.*n.*":                 {"night Az2[night]"},
		`receiver_matchers=owner="data"`: {"dba Az2[dba]"},
		`receiver_matchers=owner="data"&receiver=night`: nil,
		`filter=alertname="A"`:                          {dba, night, a1},
		`filter=alertname="A"&filter=instance="i2"`:     {a1},
	} {
		t.Run(query, func(t *testing.T) {
			_, body := a.get("/api/v2/alerts/groups?" + escapeQuery(query))
			var groups []struct {
				Receiver struct{ Name string }
				Alerts   []struct {
					Labels    map[string]string
					Receivers []struct{ Name string }
				}
			}
			decode(t, body, &groups)
			var got []string
			for _, g := range groups {
				line := g.Receiver.Name
				for _, a := range g.Alerts {
					var names []string
					for _, r := range a.Receivers {
						names = append(names, r.Name)
					}
					line += " " + a.Labels["alertname"] + a.Labels["zone"] + fmt.Sprint(names)
				}
				got = append(got, line)
			}
			if strings.Join(got, "; ") != strings.Join(want, "; ") {
				t.Errorf("got  %q\nwant %q", got, want)
			}
		})
	}
}

// TestOrderInGroup checks that alerts have the order of notifications.
func TestOrderInGroup(t *testing.T) {
	a := newTestAPI(t)
	a.mustPost("/api/v2/alerts", `[
		{"labels":{"alertname":"A","zone":"4","x":"1"}},
		{"labels":{"alertname":"A","zone":"3","instance":"i"}},
		{"labels":{"alertname":"A","zone":"2","job":"j","instance":"k"}},
		{"labels":{"alertname":"A","zone":"1","job":"j","instance":"i"}}]`)
	_, body := a.get("/api/v2/alerts/groups")
	var groups []struct {
		Alerts []struct{ Labels map[string]string }
	}
	decode(t, body, &groups)
	got := ""
	for _, a := range groups[0].Alerts {
		got += a.Labels["zone"]
	}
	if want := "1234"; got != want {
		t.Errorf("order: got %s, want %s", got, want)
	}
}

// TestCurrentAlertStatus checks that the status is current rather than that of the last
// flush, as Alertmanager's TestAlertGetReturnsCurrentAlertStatus.
func TestCurrentAlertStatus(t *testing.T) {
	a := newTestAPI(t)
	a.mustPost("/api/v2/alerts", `[{"labels":{"alertname":"A","severity":"warning"}}]`)
	expect := func(state string, silencedBy, inhibitedBy []string) {
		t.Helper()
		_, body := a.get("/api/v2/alerts?" + escapeQuery(`filter=severity="warning"`))
		var got []struct {
			Status struct {
				State                   string
				SilencedBy, InhibitedBy []string
			}
		}
		decode(t, body, &got)
		if s := got[0].Status; s.State != state || fmt.Sprint(s.SilencedBy, s.InhibitedBy) != fmt.Sprint(silencedBy, inhibitedBy) {
			t.Errorf("status: got %+v, want %s, silenced by %v, inhibited by %v", s, state, silencedBy, inhibitedBy)
		}
	}
	expect("active", nil, nil)
	id := a.silence(silence(`{"name":"severity","value":"warning","isRegex":false}`))
	expect("suppressed", []string{id}, nil)
	a.mustPost("/api/v2/alerts", `[{"labels":{"alertname":"A","severity":"critical"}}]`)
	var critical []struct{ Fingerprint string }
	_, body := a.get("/api/v2/alerts?" + escapeQuery(`filter=severity="critical"`))
	decode(t, body, &critical)
	expect("suppressed", []string{id}, []string{critical[0].Fingerprint})
	a.read(a.request("DELETE", "/api/v2/silence/"+id, nil))
	a.now = a.now.Add(1) // a silence is active up to and including its end
	expect("suppressed", nil, []string{critical[0].Fingerprint})
}

// escapeQuery escapes the values of a query.
func escapeQuery(query string) string {
	pairs := strings.Split(query, "&")
	for i, pair := range pairs {
		if name, value, ok := strings.Cut(pair, "="); ok {
			pairs[i] = name + "=" + url.QueryEscape(value)
		}
	}
	return strings.Join(pairs, "&")
}
