package api

import (
	"net/http"
	"slices"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/dispatch"
)

// The shapes of answers are those of Alertmanager's openapi.yaml: gettableAlert
// and alertGroup.

type shownAlert struct {
	Annotations  alert.Labels `json:"annotations"`
	EndsAt       stamp        `json:"endsAt"`
	Fingerprint  string       `json:"fingerprint"`
	Receivers    []reference  `json:"receivers"`
	StartsAt     stamp        `json:"startsAt"`
	Status       alertStatus  `json:"status"`
	UpdatedAt    stamp        `json:"updatedAt"`
	GeneratorURL string       `json:"generatorURL,omitempty"`
	Labels       alert.Labels `json:"labels"`
}

type alertStatus struct {
	InhibitedBy []string `json:"inhibitedBy"`
	MutedBy     []string `json:"mutedBy"`
	SilencedBy  []string `json:"silencedBy"`
	State       string   `json:"state"`
}

type reference struct {
	Name string `json:"name"`
}

type shownGroup struct {
	Alerts      []shownAlert `json:"alerts"`
	Labels      alert.Labels `json:"labels"`
	Receiver    reference    `json:"receiver"`
	RouteLabels alert.Labels `json:"routeLabels"`
}

// Alertmanager's words for how an alert stands. A third one, unprocessed, is
// never said: what was taken in has been processed.
const (
	stateActive     = "active"
	stateSuppressed = "suppressed"
)

// getAlerts shows the alerts that fire now and are asked for, in order of their
// fingerprints.
func (a *api) getAlerts(r *http.Request, now time.Time) (any, error) {
	f, err := a.alertFilter(r.URL.Query())
	if err != nil {
		return nil, err
	}
	alerts, err := a.Engine.Alerts(r.Context(), now)
	if err != nil {
		return nil, err
	}
	shown := make([]shownAlert, 0, len(alerts))
	for i := range alerts {
		if v := &alerts[i]; f.takesReceivers(v.Receivers...) && f.takes(v) {
			shown = append(shown, show(v, v.Receivers, nil))
		}
	}
	return shown, nil
}

// getGroups shows the groups of the alerts that fire now and are asked for, in
// order of their labels and receivers. The receivers of an alert are here those
// of the groups that are asked for.
func (a *api) getGroups(r *http.Request, now time.Time) (any, error) {
	q := r.URL.Query()
	f, err := a.alertFilter(q)
	if err != nil {
		return nil, err
	}
	groups, err := a.Engine.Groups(r.Context(), now)
	if err != nil {
		return nil, err
	}
	receivers := map[alert.Fingerprint][]string{}
	groups = slices.DeleteFunc(groups, func(g dispatch.GroupView) bool { return !f.takesReceivers(g.Receiver) })
	for i := range groups {
		g := &groups[i]
		g.Alerts = slices.DeleteFunc(g.Alerts, func(v dispatch.AlertView) bool { return !f.takes(&v) })
		for _, v := range g.Alerts {
			if fp := v.Fingerprint; !slices.Contains(receivers[fp], g.Receiver) {
				receivers[fp] = append(receivers[fp], g.Receiver)
			}
		}
	}
	for _, names := range receivers {
		slices.Sort(names)
	}
	muted := flag(q, "muted")
	shown := []shownGroup{}
	for i := range groups {
		g := &groups[i]
		if len(g.Alerts) == 0 || len(g.MutedBy) > 0 && !muted {
			continue
		}
		sg := shownGroup{Labels: orEmpty(g.Labels), Receiver: reference{g.Receiver}, RouteLabels: orEmpty(g.RouteLabels)}
		for _, v := range sorted(g.Alerts) {
			sg.Alerts = append(sg.Alerts, show(v, receivers[v.Fingerprint], g.MutedBy))
		}
		shown = append(shown, sg)
	}
	return shown, nil
}

// sorted returns the alerts in the order that they have in notifications.
func sorted(views []dispatch.AlertView) []*dispatch.AlertView {
	byAlert := make(map[*alert.Alert]*dispatch.AlertView, len(views))
	alerts := make([]*alert.Alert, len(views))
	for i := range views {
		alerts[i] = views[i].Alert
		byAlert[views[i].Alert] = &views[i]
	}
	alert.Sort(alerts)
	out := make([]*dispatch.AlertView, len(views))
	for i, al := range alerts {
		out[i] = byAlert[al]
	}
	return out
}

func show(v *dispatch.AlertView, receivers, mutedBy []string) shownAlert {
	s := shownAlert{
		Annotations:  orEmpty(v.Annotations),
		EndsAt:       stamp(v.EndsAt),
		Fingerprint:  v.Fingerprint.String(),
		Receivers:    make([]reference, len(receivers)),
		StartsAt:     stamp(v.StartsAt),
		UpdatedAt:    stamp(v.UpdatedAt),
		GeneratorURL: v.GeneratorURL,
		Labels:       orEmpty(v.Labels),
		Status: alertStatus{
			InhibitedBy: orNone(v.InhibitedBy), MutedBy: orNone(mutedBy), SilencedBy: orNone(v.SilencedBy), State: stateActive,
		},
	}
	for i, name := range receivers {
		s.Receivers[i].Name = name
	}
	if v.Muted() || len(mutedBy) > 0 {
		s.Status.State = stateSuppressed
	}
	return s
}

// orEmpty and orNone keep null out of answers: clients range over what they get.

func orEmpty(l alert.Labels) alert.Labels {
	if l == nil {
		return alert.Labels{}
	}
	return l
}

func orNone(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
