package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"tocsin/pkg/alert"
)

// postedAlert is an alert as it is posted: postableAlert of Alertmanager's
// openapi.yaml. Fields that are not in it are passed over.
type postedAlert struct {
	Labels       alert.Labels `json:"labels"`
	Annotations  alert.Labels `json:"annotations"`
	StartsAt     moment       `json:"startsAt"`
	EndsAt       moment       `json:"endsAt"`
	GeneratorURL string       `json:"generatorURL"`
}

// postAlerts takes in those alerts that are valid, and answers 400 if there are
// others. Its 200 means that the alerts are durable.
func (a *api) postAlerts(r *http.Request, now time.Time) (any, error) {
	posted, err := a.readAlerts(r)
	if err != nil {
		return nil, err
	}
	alerts := make([]*alert.Alert, 0, len(posted))
	var faults faults
	for i := range posted {
		al := a.alert(&posted[i], now)
		if err := a.validate(al); err != nil {
			a.counters.invalid.Add(1, "v2")
			faults.add(err)
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
	if err := faults.join(); err != nil {
		a.Log.WarnContext(r.Context(), "alerts are not valid; the others of the request were taken in", "invalid", faults.count, "valid", len(alerts), "err", err)
		return nil, refuse(http.StatusBadRequest, "%s", err)
	}
	return nil, nil
}

// readAlerts decodes the body one alert after the other, so that one that is too
// many costs nothing.
func (a *api) readAlerts(r *http.Request) ([]postedAlert, error) {
	const what = "alerts"
	dec, err := a.open(r, what)
	if err != nil {
		return nil, err
	}
	first, err := dec.Token()
	switch {
	case err != nil:
		return nil, notParsed(what, "%s", explain(err))
	case first == nil: // null
		return nil, end(dec, what)
	case first != json.Delim('['):
		return nil, notParsed(what, "an array is expected")
	}
	var posted []postedAlert
	for dec.More() {
		if len(posted) == a.Limits.Alerts {
			return nil, malformed(http.StatusRequestEntityTooLarge, "%s body has more than %d of them: send less in one request", what, a.Limits.Alerts)
		}
		posted = append(posted, postedAlert{})
		if err := dec.Decode(&posted[len(posted)-1]); err != nil {
			return nil, notParsed(what, "alert %d: %s", len(posted)-1, explain(err))
		}
	}
	if _, err := dec.Token(); err != nil { // the closing bracket
		return nil, notParsed(what, "%s", explain(err))
	}
	for i := range posted {
		p := &posted[i]
		if p.GeneratorURL != "" {
			if _, err := url.ParseRequestURI(p.GeneratorURL); err != nil {
				return nil, unfit(codeType, "%d.generatorURL in body must be of type uri: %q", i, cut(p.GeneratorURL))
			}
		}
		if p.Labels == nil {
			return nil, unfit(codeRequired, "%d.labels in body is required", i)
		}
	}
	return posted, end(dec, what)
}

// alert fills in what the sender left out, as Alertmanager does: an alert without
// a start begins now, or at its end if it has one; one without an end ends by
// itself when it is not said again in time. Labels without a value are none.
func (a *api) alert(p *postedAlert, now time.Time) *alert.Alert {
	al := &alert.Alert{Labels: p.Labels, Annotations: p.Annotations, GeneratorURL: p.GeneratorURL, StartsAt: p.StartsAt.at, EndsAt: p.EndsAt.at}
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

// validate says what is wrong with an alert, in Alertmanager's words where it
// would refuse it too.
func (a *api) validate(al *alert.Alert) error {
	switch {
	case al.EndsAt.Before(al.StartsAt):
		return errors.New("start time must be before end time")
	case len(al.Labels) == 0:
		return errors.New("at least one label pair required")
	case len(al.Labels) > a.Limits.Labels:
		return fmt.Errorf("invalid label set: %d labels, no more than %d are taken", len(al.Labels), a.Limits.Labels)
	}
	if size := size(al); size > a.Limits.AlertSize {
		return fmt.Errorf("invalid alert: %d bytes of labels and annotations, no more than %d are taken", size, a.Limits.AlertSize)
	}
	if err := a.validateNames(al.Labels); err != nil {
		return fmt.Errorf("invalid label set: %w", err)
	}
	if err := a.validateNames(al.Annotations); err != nil {
		return fmt.Errorf("invalid annotations: %w", err)
	}
	return nil
}

// validateNames names the first name, in byte order, that is not valid. Values
// may be any UTF-8, which the body is.
func (a *api) validateNames(l alert.Labels) error {
	bad, found := "", false
	for name := range l {
		if !a.validName(name) && (!found || name < bad) {
			bad, found = name, true
		}
	}
	if found {
		return fmt.Errorf("invalid name %q", cut(bad))
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

// faults collects what is wrong with alerts, and keeps what can be read.
type faults struct {
	count int
	errs  []error
}

func (f *faults) add(err error) {
	const most = 100
	if f.count++; f.count <= most {
		f.errs = append(f.errs, err)
	}
}

func (f *faults) join() error {
	if more := f.count - len(f.errs); more > 0 {
		return errors.Join(append(f.errs, fmt.Errorf("and %d more", more))...)
	}
	return errors.Join(f.errs...)
}
