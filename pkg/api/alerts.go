package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/dispatch"
	"tocsin/pkg/store"
)

// gettableAlert and alertGroup are types of Alertmanager's openapi.yaml.

type gettableAlert struct {
	Annotations  alert.Labels   `json:"annotations"`
	EndsAt       responseTime   `json:"endsAt"`
	Fingerprint  string         `json:"fingerprint"`
	Receivers    []receiverName `json:"receivers"`
	StartsAt     responseTime   `json:"startsAt"`
	Status       alertStatus    `json:"status"`
	UpdatedAt    responseTime   `json:"updatedAt"`
	GeneratorURL string         `json:"generatorURL,omitempty"`
	Labels       alert.Labels   `json:"labels"`
}

type alertStatus struct {
	InhibitedBy []string `json:"inhibitedBy"`
	MutedBy     []string `json:"mutedBy"`
	SilencedBy  []string `json:"silencedBy"`
	State       string   `json:"state"`
}

type receiverName struct {
	Name string `json:"name"`
}

type alertGroup struct {
	Alerts      []gettableAlert `json:"alerts"`
	Labels      alert.Labels    `json:"labels"`
	Receiver    receiverName    `json:"receiver"`
	RouteLabels alert.Labels    `json:"routeLabels"`
}

// States of an alert in API v2. Tocsin has no unprocessed alerts.
const (
	stateActive     = "active"
	stateSuppressed = "suppressed"
)

// getAlerts returns the firing alerts that match the filter, by fingerprint.
func (a *api) getAlerts(r *http.Request, now time.Time) (any, error) {
	f, err := a.alertFilter(r.URL.Query())
	if err != nil {
		return nil, err
	}
	alerts, err := a.Engine.Alerts(r.Context(), now)
	if err != nil {
		return nil, err
	}
	out := make([]gettableAlert, 0, len(alerts))
	for i := range alerts {
		if v := &alerts[i]; f.matchesReceivers(v.Receivers...) && f.matches(v) {
			out = append(out, newGettableAlert(v, v.Receivers, nil))
		}
	}
	return out, nil
}

// getGroups returns the groups of the firing alerts that match the filter, by labels
// and receiver. The receivers of an alert are those of the returned groups.
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
	groups = slices.DeleteFunc(groups, func(g dispatch.GroupView) bool { return !f.matchesReceivers(g.Receiver) })
	for i := range groups {
		g := &groups[i]
		g.Alerts = slices.DeleteFunc(g.Alerts, func(v dispatch.AlertView) bool { return !f.matches(&v) })
		for _, v := range g.Alerts {
			if fp := v.Fingerprint; !slices.Contains(receivers[fp], g.Receiver) {
				receivers[fp] = append(receivers[fp], g.Receiver)
			}
		}
	}
	for _, names := range receivers {
		slices.Sort(names)
	}
	muted := boolParameter(q, "muted")
	out := []alertGroup{}
	for i := range groups {
		g := &groups[i]
		if len(g.Alerts) == 0 || len(g.MutedBy) > 0 && !muted {
			continue
		}
		group := alertGroup{Labels: orEmpty(g.Labels), Receiver: receiverName{g.Receiver}, RouteLabels: orEmpty(g.RouteLabels)}
		for _, v := range notificationOrder(g.Alerts) {
			group.Alerts = append(group.Alerts, newGettableAlert(v, receivers[v.Fingerprint], g.MutedBy))
		}
		out = append(out, group)
	}
	return out, nil
}

// notificationOrder returns alerts in the order of notifications.
func notificationOrder(views []dispatch.AlertView) []*dispatch.AlertView {
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

func newGettableAlert(v *dispatch.AlertView, receivers, mutedBy []string) gettableAlert {
	s := gettableAlert{
		Annotations:  orEmpty(v.Annotations),
		EndsAt:       responseTime(v.EndsAt),
		Fingerprint:  v.Fingerprint.String(),
		Receivers:    make([]receiverName, len(receivers)),
		StartsAt:     responseTime(v.StartsAt),
		UpdatedAt:    responseTime(v.UpdatedAt),
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

// orEmpty and orNone keep null out of responses, because clients iterate over them.

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

// postableAlert is a type of Alertmanager's openapi.yaml. Other fields are ignored.
type postableAlert struct {
	Labels       alert.Labels `json:"labels"`
	Annotations  alert.Labels `json:"annotations"`
	StartsAt     requestTime  `json:"startsAt"`
	EndsAt       requestTime  `json:"endsAt"`
	GeneratorURL string       `json:"generatorURL"`
}

// postAlerts stores the valid alerts, and returns 400 if there are invalid ones. A 200
// means that the alerts are durable.
func (a *api) postAlerts(r *http.Request, now time.Time) (any, error) {
	posted, err := a.readAlerts(r)
	if err != nil {
		return nil, err
	}
	alerts := make([]*alert.Alert, 0, len(posted))
	var invalid errorList
	for i := range posted {
		al := a.alert(&posted[i], now)
		err := a.validate(al)
		if errors.Is(err, errStoredSize) { // which Alertmanager does not have
			err = fmt.Errorf("alert %d: %w", i, err)
		}
		if err != nil {
			a.counters.invalid.Add(1, "v2")
			invalid.add(i, err)
			continue
		}
		alerts = append(alerts, al)
	}
	if len(alerts) > 0 {
		if err := a.Engine.Ingest(r.Context(), now, alerts); err != nil {
			return nil, err
		}
		a.flush(r.Context())
	}
	if err := invalid.join(); err != nil {
		a.Log.WarnContext(r.Context(), "invalid alerts rejected", "invalid", len(invalid.positions), "valid", len(alerts), "err", err)
		return nil, textError(http.StatusBadRequest, "%s", err)
	}
	return nil, nil
}

// readAlerts decodes the alerts one by one, and stops when there are too many.
func (a *api) readAlerts(r *http.Request) ([]postableAlert, error) {
	const name = "alerts"
	dec, err := a.decodeBody(r, name)
	if err != nil {
		return nil, err
	}
	first, err := dec.Token()
	switch {
	case err != nil:
		return nil, parseError(name, "%s", explainDecodeError(err))
	case first == nil: // null
		return nil, expectEnd(dec, name)
	case first != json.Delim('['):
		return nil, parseError(name, "an array is expected")
	}
	var posted []postableAlert
	for dec.More() {
		if len(posted) == a.Limits.Alerts {
			return nil, codedError(http.StatusRequestEntityTooLarge, "%s body has more than %d of them: send less in one request", name, a.Limits.Alerts)
		}
		posted = append(posted, postableAlert{})
		if err := dec.Decode(&posted[len(posted)-1]); err != nil {
			return nil, parseError(name, "alert %d: %s", len(posted)-1, explainDecodeError(err))
		}
	}
	if _, err := dec.Token(); err != nil { // the closing bracket
		return nil, parseError(name, "%s", explainDecodeError(err))
	}
	for i := range posted {
		p := &posted[i]
		if p.GeneratorURL != "" {
			if _, err := url.ParseRequestURI(p.GeneratorURL); err != nil {
				return nil, validationError(codeType, "%d.generatorURL in body must be of type uri: %q", i, truncate(p.GeneratorURL))
			}
		}
		if p.Labels == nil {
			return nil, validationError(codeRequired, "%d.labels in body is required", i)
		}
	}
	return posted, expectEnd(dec, name)
}

// alert returns an alert with defaults set, as Alertmanager does: it starts now, or at
// its end if it has one, and without an end it lasts for the resolve timeout. Empty
// labels are removed.
func (a *api) alert(p *postableAlert, now time.Time) *alert.Alert {
	al := &alert.Alert{Labels: p.Labels, Annotations: p.Annotations, GeneratorURL: p.GeneratorURL, StartsAt: p.StartsAt.time, EndsAt: p.EndsAt.time}
	if al.StartsAt.IsZero() {
		al.StartsAt = al.EndsAt
	}
	if al.StartsAt.IsZero() {
		al.StartsAt = now
	}
	if al.EndsAt.IsZero() {
		al.EndsAt, al.Timeout = now.Add(a.ResolveTimeout), true
	}
	a.counters.received.Add(1, status(al, now), "v2")
	for name, value := range al.Labels {
		if value == "" {
			delete(al.Labels, name)
		}
	}
	return al
}

func status(al *alert.Alert, now time.Time) string {
	if al.ResolvedAt(now) {
		return "resolved"
	}
	return "firing"
}

// validate returns the first error in an alert, with Alertmanager's text where it
// rejects the alert, too.
func (a *api) validate(al *alert.Alert) error {
	switch {
	case al.EndsAt.Before(al.StartsAt):
		return errors.New("start time must be before end time")
	case len(al.Labels) == 0:
		return errors.New("at least one label pair required")
	case len(al.Labels) > a.Limits.Labels:
		return fmt.Errorf("invalid label set: %d labels, at most %d are allowed", len(al.Labels), a.Limits.Labels)
	}
	if size := size(al); size > a.Limits.AlertSize {
		return fmt.Errorf("invalid alert: %d bytes of labels and annotations, at most %d are allowed", size, a.Limits.AlertSize)
	}
	if err := a.validateNames(al.Labels); err != nil {
		return fmt.Errorf("invalid label set: %w", err)
	}
	if err := checkStoredSize(al.Labels); err != nil {
		return fmt.Errorf("invalid label set: %w", err)
	}
	if err := a.validateNames(al.Annotations); err != nil {
		return fmt.Errorf("invalid annotations: %w", err)
	}
	return nil
}

// validateNames returns an error with the first invalid name in byte order. Values may
// be any UTF-8.
func (a *api) validateNames(l alert.Labels) error {
	invalid, found := "", false
	for name := range l {
		if !a.validName(name) && (!found || name < invalid) {
			invalid, found = name, true
		}
	}
	if found {
		return fmt.Errorf("invalid name %q", truncate(invalid))
	}
	return nil
}

func size(al *alert.Alert) int {
	n := len(al.GeneratorURL)
	for _, l := range [...]alert.Labels{al.Labels, al.Annotations} {
		for name, value := range l {
			n += len(name) + len(value)
		}
	}
	return n
}

// maxStoredLabels is the limit on the stored size of an alert's labels in a group that is
// grouped by all of them, which every flush of the group reads and writes: half of a
// store's value without 20 KiB for the labels and matchers of the route.
const maxStoredLabels = store.MaxValue/2 - 20<<10

// errStoredSize is wrapped when labels exceed maxStoredLabels.
var errStoredSize = errors.New("too large for the store")

// checkStoredSize returns an error if the group of an alert with these labels cannot be
// stored. A stored group has its labels as JSON, and again in its key, where they are
// quoted and then encoded as JSON. Together one byte takes up to twelve.
func checkStoredSize(l alert.Labels) error {
	plain := 0
	for name, value := range l {
		plain += len(name) + len(value)
	}
	if 12*plain <= maxStoredLabels {
		return nil
	}
	stored := 0
	for name, value := range l {
		for _, s := range [...]string{name, value} {
			stored += jsonSize(s) + jsonSize(strconv.Quote(s))
		}
	}
	if stored > maxStoredLabels {
		return fmt.Errorf("%w: the labels take %d bytes there, at most %d are allowed", errStoredSize, stored, maxStoredLabels)
	}
	return nil
}

// jsonSize returns the size of s as JSON.
func jsonSize(s string) int {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // cannot happen for a string
	}
	return len(b)
}

// errorList collects the errors of alerts and their positions in a request, up to a
// readable number of errors.
type errorList struct {
	positions []int
	errs      []error
}

func (l *errorList) add(position int, err error) {
	const maxErrors = 100
	if l.positions = append(l.positions, position); len(l.positions) <= maxErrors {
		l.errs = append(l.errs, err)
	}
}

func (l *errorList) join() error {
	if more := len(l.positions) - len(l.errs); more > 0 {
		return errors.Join(append(l.errs, fmt.Errorf("and %d more", more))...)
	}
	return errors.Join(l.errs...)
}
