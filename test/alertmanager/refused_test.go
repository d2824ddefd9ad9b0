package alertmanager

import (
	"slices"
	"strings"
	"testing"
)

// refusedConfig is the configuration of the scenarios in TestRefusedNotification.
const refusedConfig = `
route: {receiver: w, group_by: [alertname], group_wait: 1s, group_interval: 4s, repeat_interval: 1h1s}
receivers: [{name: w, webhook_configs: [{url: "http://hooks.example.com/", send_resolved: true}]}]
---
begin 2026-11-20T22:00:00Z
`

// TestRefusedNotification checks that Alertmanager and Tocsin notify at the same times
// when a webhook answers 404 and then 200.
func TestRefusedNotification(t *testing.T) {
	for _, test := range []struct {
		name  string
		steps string
		// sent are the beginnings of the lines of Alertmanager's transcript.
		sent []string
	}{
		{"is sent at the next flush", `
			1ms refuse w/0 end=4s
			2ms push {alertname="Lag"} end=1h
			30s end`,
			[]string{
				`000001.002 w/0 {}:{alertname="Lag"}: refused`,
				`000005.002 w/0 {}:{alertname="Lag"}: first notification`,
			}},
		{"of an end is sent at the next flush", `
			1ms push {alertname="Lag"} end=1h
			2001ms refuse w/0 end=4s
			2002ms push {alertname="Lag"} start=-2001ms end=0s
			30s end`,
			[]string{
				`000001.001 w/0 {}:{alertname="Lag"}: first notification`,
				`000005.001 w/0 {}:{alertname="Lag"}: refused`,
				`000009.001 w/0 {}:{alertname="Lag"}: all alerts resolved`,
			}},
		{"is sent after a silence that was set since", `
			1ms refuse w/0 end=4s
			2ms push {alertname="Lag"} end=1h
			2003ms silence s0 {alertname="Lag"} start=0s end=10s
			30s end`,
			[]string{
				`000001.002 w/0 {}:{alertname="Lag"}: refused`,
				`000002.003 silence s0: new id true`,
				`000013.002 w/0 {}:{alertname="Lag"}: first notification`,
			}},
		{"is sent without an alert that is silenced since", `
			1ms refuse w/0 end=4s
			2ms push {alertname="Lag",job="a"} {alertname="Lag",job="b"} end=1h
			2003ms silence s0 {job="a"} start=0s end=5s
			30s end`,
			[]string{
				`000001.002 w/0 {}:{alertname="Lag"}: refused`,
				`000002.003 silence s0: new id true`,
				`000005.002 w/0 {}:{alertname="Lag"}: first notification`,
				`000009.002 w/0 {}:{alertname="Lag"}: new alerts added`,
			}},
		{"is still the first one when an alert has joined", `
			1ms refuse w/0 end=4s
			2ms push {alertname="Lag",job="a"} end=1h
			2003ms push {alertname="Lag",job="b"} end=1h
			30s end`,
			[]string{
				`000001.002 w/0 {}:{alertname="Lag"}: refused`,
				`000005.002 w/0 {}:{alertname="Lag"}: first notification`,
			}},
		{"is repeated after repeat_interval from when it was accepted", `
			1ms refuse w/0 end=4s
			2ms push {alertname="Lag"} end=2h
			1h0m10s end`,
			[]string{
				`000001.002 w/0 {}:{alertname="Lag"}: refused`,
				`000005.002 w/0 {}:{alertname="Lag"}: first notification`,
				`003609.002 w/0 {}:{alertname="Lag"}: repeat interval elapsed`,
			}},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, err := parseScenario(refusedConfig + test.steps)
			if err != nil {
				t.Fatal(err)
			}
			theirs, err := s.playUpstream(t)
			if err != nil {
				t.Fatal(err)
			}
			if got := theirs.sorted(); !slices.EqualFunc(got, test.sent, strings.HasPrefix) {
				t.Errorf("Alertmanager: got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(test.sent, "\n"))
			}
			for _, upstream := range []bool{true, false} {
				if d := s.compareMode(t, upstream); d != "" {
					t.Errorf("got the difference %s, want none", d)
				}
			}
		})
	}
}
