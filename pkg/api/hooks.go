package api

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/textproto"
	"net/url"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/intake"
)

// hook takes the messages of one system.
type hook struct {
	// name is its path, below the root and without a slash in front.
	name string
	// media are the media types of its bodies; without any, its messages are
	// queries.
	media  []string
	decode func(context.Context, intake.Input) (intake.Output, error)
}

// hooks registers all hooks.
func (a *api) hooks(mux *http.ServeMux) {
	for _, h := range a.allHooks() {
		take := func(r *http.Request, now time.Time) (any, error) { return a.take(r, now, &h) }
		m := methods{http.MethodPost: take, http.MethodPut: take} // Grafana may be told to PUT
		if h.media == nil {
			m = methods{http.MethodGet: take}
		}
		mux.Handle("/"+h.name, a.endpoint(m))
	}
	mux.Handle("/hooks/", a.endpoint(nil))
}

// allHooks returns those of known systems and those of the configuration.
func (a *api) allHooks() []hook {
	var all []hook
	add := func(name string, media []string, decode func(context.Context, intake.Input) (intake.Output, error)) {
		all = append(all, hook{"hooks/" + name, media, decode})
	}
	for _, s := range intake.Systems() {
		add(s.Name, s.Media, plain(s.Decode))
	}
	for _, g := range a.Webhook.Generic {
		decode, err := intake.NewGeneric(g)
		if err != nil { // Validate tells
			a.Log.Error("a hook is left out: its template cannot be parsed", "hook", g.Name, "err", err)
			continue
		}
		add("generic/"+g.Name, intake.GenericMedia(), plain(decode))
	}
	add("sns", intake.SNSMedia(), intake.NewSNS(a.Webhook.SNS, a.fetch).Decode)
	return all
}

func plain(d intake.Decoder) func(context.Context, intake.Input) (intake.Output, error) {
	return func(_ context.Context, in intake.Input) (intake.Output, error) { return d(in) }
}

// take understands a message, takes all of its alerts in or none, and answers
// once they are durable.
func (a *api) take(r *http.Request, now time.Time, h *hook) (any, error) {
	out, err := a.understand(r, now, h)
	if err != nil {
		return nil, a.refused(r, h, err)
	}
	if len(out.Alerts) > 0 {
		if err := a.Engine.Ingest(r.Context(), now, out.Alerts); err != nil {
			return nil, err
		}
		a.flush(r.Context())
	}
	answer := map[string]any{"status": "ok", "alerts": len(out.Alerts)}
	maps.Copy(answer, out.Reply)
	return answer, nil
}

// understand turns a message into alerts that can be taken in.
func (a *api) understand(r *http.Request, now time.Time, h *hook) (intake.Output, error) {
	in, err := a.input(r, now, h)
	if err != nil {
		return intake.Output{}, err
	}
	out, err := h.decode(r.Context(), in)
	if err != nil {
		return intake.Output{}, misread(err)
	}
	return out, a.complete(r, now, h, out.Alerts)
}

// refused logs why a message is not taken: its sender may be a machine that
// nobody reads the answers of.
func (a *api) refused(r *http.Request, h *hook, err error) error {
	a.Log.WarnContext(r.Context(), "message refused", "hook", h.name, "token", Caller(r.Context()).Name, "err", err)
	return err
}

// misread is the answer to a message that the decoder does not take.
func misread(err error) error {
	var fault *intake.Error
	switch {
	case errors.As(err, &fault):
		return malformed(http.StatusBadRequest, "%s", fault)
	case errors.Is(err, intake.ErrUnreachable):
		return malformed(http.StatusServiceUnavailable, "%s: try again", intake.ErrUnreachable)
	default:
		return err
	}
}

// complete gives alerts the labels that the query adds and the end that those
// without one have, and checks them.
func (a *api) complete(r *http.Request, now time.Time, h *hook, alerts []*alert.Alert) error {
	if len(alerts) > a.Limits.Alerts {
		return malformed(http.StatusRequestEntityTooLarge, "%d alerts, no more than %d are taken: send less in one request", len(alerts), a.Limits.Alerts)
	}
	added, err := a.addedLabels(r.URL.Query()["label"])
	if err != nil {
		return malformed(http.StatusBadRequest, "%s", err)
	}
	var faults faults
	for i, al := range alerts {
		for name, value := range added {
			if _, own := al.Labels[name]; !own {
				al.Labels[name] = value
			}
		}
		if al.Timeout && al.EndsAt.IsZero() {
			al.EndsAt = now.Add(a.ResolveTimeout)
		}
		a.counters.received.Add(1, status(al, now), h.name)
		if err := a.validateTaken(al); err != nil {
			a.counters.invalid.Add(1, h.name)
			faults.add(fmt.Errorf("alert %d: %w", i, err))
		}
	}
	if err := faults.join(); err != nil {
		return malformed(http.StatusBadRequest, "%s", err)
	}
	return nil
}

// validateTaken is validate for alerts that may have no end yet.
func (a *api) validateTaken(al *alert.Alert) error {
	if !al.EndsAt.IsZero() {
		return a.validate(al)
	}
	ending := *al
	ending.EndsAt = al.StartsAt
	return a.validate(&ending)
}

// flush says what is due. It may use the little time that senders wait for an
// answer; who sent the message may go away meanwhile.
func (a *api) flush(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flushTime)
	defer cancel()
	if err := a.Flush(ctx); err != nil {
		a.Log.ErrorContext(ctx, "alerts were taken in, and what is due was not said; the next tick says it", "err", err)
	}
}

// flushTime leaves some of the five seconds that Tencent Cloud Monitor and Alibaba
// Cloud Monitor wait for an answer.
const flushTime = 3 * time.Second

// input is what a decoder sees of a request: not the token.
func (a *api) input(r *http.Request, now time.Time, h *hook) (intake.Input, error) {
	in := intake.Input{Now: now, Zone: a.Zone, Authenticated: Caller(r.Context()).Name != ""}
	var err error
	if h.media != nil {
		if in.Media, err = mediaType(r, h.media); err != nil {
			return in, err
		}
		if in.Body, err = readPacked(r, a.Webhook.maxBody()); err != nil {
			return in, err
		}
	}
	if in.Query, err = url.ParseQuery(r.URL.RawQuery); err != nil {
		return in, malformed(http.StatusBadRequest, "the query: %s", cut(err.Error()))
	}
	in.Query.Del(tokenParameter)
	in.Query.Del("label")
	in.Header = textproto.MIMEHeader(maps.Clone(r.Header))
	in.Header.Del("Authorization")
	in.Header.Del("Cookie")
	return in, nil
}
