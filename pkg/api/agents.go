package api

import (
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"tocsin/pkg/host"
)

// agents registers what the agents of hosts ask and report, and how the hosts
// stand. Without hosts the paths do not exist.
func (a *api) agents(mux *http.ServeMux) {
	if a.Hosts == nil {
		return
	}
	mux.Handle("/agents", a.endpoint(methods{http.MethodGet: a.getAgents}))
	mux.Handle("/agents/{id}", a.endpoint(methods{http.MethodGet: a.getAgent}))
	mux.Handle("/agents/{id}/report", a.endpoint(methods{http.MethodPost: a.postReport}))
	mux.HandleFunc("GET /agents/{id}/config", a.getAgentConfig)
	mux.Handle("/agents/{id}/config", a.endpoint(methods{http.MethodGet: nil})) // for every other method
	mux.Handle("/agents/", a.endpoint(nil))
}

// sender is who speaks for a host.
func sender(r *http.Request) host.Sender {
	caller := Caller(r.Context())
	return host.Sender{Token: caller.Name, Hosts: caller.Hosts}
}

// getAgentConfig answers what a host must collect. The entity tag makes it cheap
// to ask again: 304 without a body.
func (a *api) getAgentConfig(w http.ResponseWriter, r *http.Request) {
	h, err := a.Hosts.Host(r.Context(), sender(r), r.PathValue("id"))
	if err != nil {
		a.answer(w, r, nil, a.refusedAgent(r, err))
		return
	}
	body, etag := h.AgentConfig()
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("ETag", etag)
	if unchanged(r.Header.Values("If-None-Match"), etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	a.answer(w, r, json.RawMessage(body), nil)
}

// unchanged tells whether one of the tags that a client has is etag. They are
// compared weakly: a gateway that packs the body weakens the tag (RFC 9110, 13.1.2).
func unchanged(headers []string, etag string) bool {
	for tag := range strings.SplitSeq(strings.Join(headers, ","), ",") {
		if tag = strings.TrimSpace(tag); tag == "*" || strings.TrimPrefix(tag, "W/") == etag {
			return true
		}
	}
	return false
}

func (a *api) getAgents(r *http.Request, now time.Time) (any, error) {
	return a.Hosts.List(r.Context(), now, sender(r))
}

func (a *api) getAgent(r *http.Request, now time.Time) (any, error) {
	s, err := a.Hosts.Status(r.Context(), now, sender(r), r.PathValue("id"))
	if err != nil {
		return nil, a.refusedAgent(r, err)
	}
	return s, nil
}

// postReport takes a report in, and answers once it is durable.
func (a *api) postReport(r *http.Request, now time.Time) (any, error) {
	id, from := r.PathValue("id"), sender(r)
	if _, err := a.Hosts.Host(r.Context(), from, id); err != nil { // before the body is read
		return nil, a.refusedAgent(r, err)
	}
	body, err := a.report(r)
	if err == nil && body.ClientID != id {
		err = malformed(http.StatusBadRequest, "client_id is %q, and the path is that of %q", cut(body.ClientID), id)
	}
	if err != nil {
		return nil, a.refusedAgent(r, err)
	}
	alerts, err := a.Hosts.Report(r.Context(), now, id, host.Report{
		From: from, Service: body.Service, Data: body.Data, At: collected(r, body.At.at, now), Address: address(r),
	})
	if err != nil {
		return nil, a.refusedAgent(r, err)
	}
	if alerts > 0 {
		a.flush(r.Context())
	}
	return map[string]string{"status": "ok"}, nil
}

// collected is when a report was made, by the clock here. A Date in the request says
// what the host's clock is at (RFC 9110, 6.6.1): one that is wrong by more than a
// host may be silent would otherwise make it offline for ever.
func collected(r *http.Request, at, now time.Time) time.Time {
	sent, err := http.ParseTime(r.Header.Get("Date"))
	if err != nil || at.IsZero() {
		return at
	}
	// Date has whole seconds: what was made within the last one was made now.
	return now.Add(-max(0, sent.Sub(at)))
}

// address is where a request came from, without the port; "" when that is not
// known.
func address(r *http.Request) string {
	text := r.RemoteAddr
	if without, _, err := net.SplitHostPort(text); err == nil {
		text = without
	}
	ip, err := netip.ParseAddr(text)
	if err != nil {
		return ""
	}
	return ip.Unmap().String()
}

// refusedAgent is the answer to what a host may not do or did not do right. It is
// logged: nobody may be reading the agent's log.
func (a *api) refusedAgent(r *http.Request, err error) error {
	switch {
	case errors.Is(err, host.ErrUnknown):
		err = malformed(http.StatusNotFound, "%s", host.ErrUnknown)
	case errors.Is(err, host.ErrForbidden):
		err = malformed(http.StatusForbidden, "%s", host.ErrForbidden)
	case errors.Is(err, host.ErrFull):
		err = malformed(http.StatusForbidden, "%s", host.ErrFull)
	case errors.Is(err, host.ErrTooLarge):
		err = malformed(http.StatusRequestEntityTooLarge, "%s", host.ErrTooLarge)
	}
	var told *refusal
	if errors.As(err, &told) {
		a.Log.WarnContext(r.Context(), "agent refused", "host", cut(r.PathValue("id")), "token", Caller(r.Context()).Name, "err", err)
	}
	return err
}
