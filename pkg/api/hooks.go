package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/intake"
	"tocsin/pkg/setting"
)

// hook receives the messages of one system.
type hook struct {
	// name is the path without the leading slash.
	name string
	// media are the media types of its bodies; none if its messages are queries.
	media  []string
	decode func(context.Context, intake.Input) (intake.Output, error)
	// formats names the accepted messages.
	formats string
}

// registerHooks registers the paths of all hooks, with and without a slash at the end.
func (a *api) registerHooks(mux *http.ServeMux) {
	for _, h := range a.hooks() {
		receive := func(r *http.Request, now time.Time) (any, error) { return a.receive(r, now, &h) }
		m := methods{http.MethodPost: receive, http.MethodPut: receive} // Grafana can be configured to use PUT
		if h.media == nil {
			m = methods{http.MethodGet: receive}
		}
		mux.Handle("/"+h.name, a.endpoint(m))
		mux.Handle("/"+h.name+"/{$}", a.endpoint(m))
	}
	mux.Handle("/hooks/", a.endpoint(nil))
}

// hooks returns the hooks of known systems and of the configuration.
func (a *api) hooks() []hook {
	var all []hook
	add := func(name string, media []string, formats string, decode func(context.Context, intake.Input) (intake.Output, error)) {
		all = append(all, hook{"hooks/" + name, media, decode, formats})
	}
	for _, s := range intake.Systems() {
		add(s.Name, s.Media, s.Formats, ignoreContext(s.Decode))
	}
	for _, g := range a.Webhook.Generic {
		decode, err := intake.NewGeneric(g)
		if err != nil { // Validate reports it, too
			a.Log.Error("hook disabled: its template cannot be parsed", "hook", g.Name, "err", err)
			continue
		}
		add("generic/"+g.Name, intake.GenericMedia(), "what its template in webhook.generic expects", ignoreContext(decode))
	}
	add("sns", intake.SNSMedia(), intake.SNSFormats, intake.NewSNS(a.Webhook.SNS, a.fetch).Decode)
	return all
}

func ignoreContext(d intake.Decoder) func(context.Context, intake.Input) (intake.Output, error) {
	return func(_ context.Context, in intake.Input) (intake.Output, error) { return d(in) }
}

// receive decodes a message and stores its valid alerts. A 200 means that all are
// durable. With invalid alerts it responds with 400, which names them by their position
// in the message; the others are durable, and sending them again changes nothing.
func (a *api) receive(r *http.Request, now time.Time, h *hook) (any, error) {
	out, rejected, err := a.decodeMessage(r, now, h)
	if err != nil {
		return nil, a.logRejected(r, h, err)
	}
	if len(out.Alerts) > 0 {
		if err := a.Engine.Ingest(r.Context(), now, out.Alerts); err != nil {
			return nil, err
		}
		a.flush(r.Context())
	}
	if err := rejected.join(); err != nil {
		return nil, a.logRejected(r, h, &httpError{http.StatusBadRequest, rejectedBody{
			errorBody{http.StatusBadRequest, err.Error()}, len(out.Alerts), rejected.positions,
		}})
	}
	response := map[string]any{"status": "ok", "alerts": len(out.Alerts)}
	maps.Copy(response, out.Reply)
	return response, nil
}

// rejectedBody is the body of the response to a message of which some alerts are
// invalid.
type rejectedBody struct {
	errorBody
	Alerts   int   `json:"alerts"`   // that were stored
	Rejected []int `json:"rejected"` // positions in the message
}

// decodeMessage decodes a message into valid alerts, and the errors of the others.
func (a *api) decodeMessage(r *http.Request, now time.Time, h *hook) (out intake.Output, rejected errorList, err error) {
	in, err := a.hookInput(r, now, h)
	if err != nil {
		return out, rejected, err
	}
	if out, err = h.decode(r.Context(), in); err != nil {
		return out, rejected, h.decodeError(err)
	}
	out.Alerts, rejected, err = a.completeAlerts(r, now, h, out)
	return out, rejected, err
}

// logRejected logs why a message was rejected, because the sender may not log the
// response.
func (a *api) logRejected(r *http.Request, h *hook, err error) error {
	a.Log.WarnContext(r.Context(), "message rejected", "hook", h.name, "token", Caller(r.Context()).Name, "err", err)
	return err
}

// decodeError returns a decoder's error with the status of the response. It names the
// accepted messages, because the sender may use the hook of another system.
func (h *hook) decodeError(err error) error {
	var invalid *intake.Error
	switch {
	case errors.As(err, &invalid):
		return codedError(http.StatusBadRequest, "%s; /%s takes %s (docs/webhook.md#hooks)", invalid, h.name, h.formats)
	case errors.Is(err, intake.ErrUnreachable):
		return codedError(http.StatusServiceUnavailable, "%s: try again", intake.ErrUnreachable)
	default:
		return err
	}
}

// completeAlerts adds the labels of the query and the end of alerts with a timeout, and
// returns the valid alerts and the errors of the others.
func (a *api) completeAlerts(r *http.Request, now time.Time, h *hook, out intake.Output) (valid []*alert.Alert, rejected errorList, err error) {
	total := len(out.Alerts) + len(out.Errors)
	if total > a.Limits.Alerts {
		return nil, rejected, codedError(http.StatusRequestEntityTooLarge, "%d alerts, at most %d are allowed: send less in one request", total, a.Limits.Alerts)
	}
	added, err := a.queryLabels(r.URL.Query()["label"])
	if err != nil {
		return nil, rejected, codedError(http.StatusBadRequest, "%s", err)
	}
	decoded := out.Alerts
	for i := range total {
		if err := out.Errors[i]; err != nil {
			a.counters.invalid.Add(1, h.name)
			rejected.add(i, err)
			continue
		}
		al := decoded[0]
		decoded = decoded[1:]
		for name, value := range added {
			if _, own := al.Labels[name]; !own {
				al.Labels[name] = value
			}
		}
		if al.Timeout && al.EndsAt.IsZero() {
			al.EndsAt = now.Add(a.ResolveTimeout)
		}
		a.counters.received.Add(1, status(al, now), h.name)
		if err := a.validateReceived(al); err != nil {
			a.counters.invalid.Add(1, h.name)
			rejected.add(i, fmt.Errorf("alert %d: %w", i, err))
			continue
		}
		valid = append(valid, al)
	}
	return valid, rejected, nil
}

// validateReceived returns the first error in an alert, which may have no end.
func (a *api) validateReceived(al *alert.Alert) error {
	if !al.EndsAt.IsZero() {
		return a.validate(al)
	}
	ending := *al
	ending.EndsAt = al.StartsAt
	return a.validate(&ending)
}

// flush calls Flush. It continues when the client disconnects, but no longer than
// flushTimeout.
func (a *api) flush(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTimeout)
	defer cancel()
	if err := a.Flush(ctx); err != nil {
		a.Log.ErrorContext(ctx, "flush failed: the next tick sends the notifications", "err", err)
	}
}

// flushTimeout is part of the five seconds that Tencent Cloud Monitor and Alibaba Cloud
// Monitor wait for a response.
const flushTimeout = 3 * time.Second

// hookInput returns the decoder's input, without the token.
func (a *api) hookInput(r *http.Request, now time.Time, h *hook) (intake.Input, error) {
	in := intake.Input{Now: now, Zone: a.Zone, Authenticated: Caller(r.Context()).Name != ""}
	var err error
	if h.media != nil {
		if in.Media, err = mediaType(r, h.media); err != nil {
			return in, err
		}
		if in.Body, err = readBody(r, a.Webhook.maxBody()); err != nil {
			return in, err
		}
	}
	if in.Query, err = url.ParseQuery(r.URL.RawQuery); err != nil {
		return in, codedError(http.StatusBadRequest, "invalid query: %s", truncate(err.Error()))
	}
	in.Query.Del(tokenParameter)
	in.Query.Del("label")
	in.Header = textproto.MIMEHeader(maps.Clone(r.Header))
	in.Header.Del("Authorization")
	in.Header.Del("Cookie")
	return in, nil
}

const (
	fetchTimeout = 5 * time.Second
	maxFetchSize = 64 << 10 // bytes; a certificate has about two thousand
)

// fetch fetches an address of Amazon SNS.
func (a *api) fetch(ctx context.Context, address string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	resp, err := a.HTTP.Do(req)
	if err != nil {
		return nil, fmt.Errorf("fetch from %s: %w", req.URL.Host, setting.RequestCause(err))
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxFetchSize))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("fetch from %s: status %s", req.URL.Host, resp.Status)
	}
	return body, err
}

// DecodeSample returns the alerts of a message to a hook, or the error with which the
// hook would reject it. It stores nothing. The name is the hook's path below /hooks/.
// For a hook that receives queries, the message is one: NAME=VALUE&… .
func DecodeSample(ctx context.Context, o Options, name string, message []byte) ([]*alert.Alert, error) {
	a := newAPI(o)
	var names []string
	for _, h := range a.hooks() {
		short := strings.TrimPrefix(h.name, "hooks/")
		names = append(names, short)
		if short != name {
			continue
		}
		r, err := sampleRequest(ctx, &h, message)
		if err != nil {
			return nil, err
		}
		out, rejected, err := a.decodeMessage(r, a.Now(), &h)
		return out.Alerts, errors.Join(err, rejected.join())
	}
	return nil, fmt.Errorf("no hook %q: the hooks are %s", name, strings.Join(names, ", "))
}

// sampleRequest returns the request of a message from an authenticated sender.
func sampleRequest(ctx context.Context, h *hook, message []byte) (*http.Request, error) {
	ctx = context.WithValue(ctx, callerKey{}, Identity{Name: "sample"})
	if h.media == nil {
		return http.NewRequestWithContext(ctx, http.MethodGet, "/"+h.name+"?"+string(bytes.TrimSpace(message)), nil)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "/"+h.name, bytes.NewReader(message))
	if err != nil {
		return nil, err
	}
	media := intake.Form
	if json.Valid(message) || !bytes.Contains(message, []byte("=")) {
		media = intake.JSON // of invalid JSON the decoder reports the position
	}
	r.Header.Set("Content-Type", media)
	return r, nil
}
