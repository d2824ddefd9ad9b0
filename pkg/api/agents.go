package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"tocsin/pkg/host"
	"tocsin/pkg/intake"
)

// registerAgents registers the paths of the host agents and of the hosts' status.
// Without hosts they do not exist.
func (a *api) registerAgents(mux *http.ServeMux) {
	if a.Hosts == nil {
		return
	}
	mux.Handle("/agents", a.endpoint(methods{http.MethodGet: a.getAgents}))
	mux.Handle("/agents/{id}", a.endpoint(methods{http.MethodGet: a.getAgent}))
	mux.Handle("/agents/{id}/report", a.endpoint(methods{http.MethodPost: a.postReport}))
	mux.HandleFunc("GET /agents/{id}/config", a.getAgentConfig)
	mux.Handle("/agents/{id}/config", a.endpoint(methods{http.MethodGet: nil})) // 405 for all other methods
	mux.Handle("/agents/", a.endpoint(nil))
}

// sender returns the sender of a host's request.
func sender(r *http.Request) host.Sender {
	caller := Caller(r.Context())
	return host.Sender{Token: caller.Name, Hosts: caller.Hosts}
}

// getAgentConfig returns the configuration of an agent, or 304 if the agent has it
// already.
func (a *api) getAgentConfig(w http.ResponseWriter, r *http.Request) {
	h, err := a.Hosts.Host(r.Context(), sender(r), r.PathValue("id"))
	if err != nil {
		a.respond(w, r, nil, a.agentError(r, err))
		return
	}
	body, etag := h.AgentConfig()
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("ETag", etag)
	if matchesETag(r.Header.Values("If-None-Match"), etag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	a.respond(w, r, json.RawMessage(body), nil)
}

// matchesETag reports whether If-None-Match contains etag. The comparison is weak,
// because a gateway that compresses the body weakens the tag (RFC 9110, 13.1.2).
func matchesETag(headers []string, etag string) bool {
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
		return nil, a.agentError(r, err)
	}
	return s, nil
}

// postReport stores a report. A 200 means that it is durable.
func (a *api) postReport(r *http.Request, now time.Time) (any, error) {
	id, from := r.PathValue("id"), sender(r)
	if _, err := a.Hosts.Host(r.Context(), from, id); err != nil { // before reading the body
		return nil, a.agentError(r, err)
	}
	body, err := a.readReport(r)
	if err == nil && body.ClientID != id {
		err = codedError(http.StatusBadRequest, "client_id is %q, but the path is that of %q", truncate(body.ClientID), id)
	}
	if err != nil {
		return nil, a.agentError(r, err)
	}
	alerts, err := a.Hosts.Report(r.Context(), now, id, host.Report{
		From: from, Service: body.Service, Data: body.Data, At: collectedAt(r, body.At.time, now), Address: remoteAddress(r), RunID: body.RunID,
	})
	if err != nil {
		return nil, a.agentError(r, err)
	}
	if alerts > 0 {
		a.flush(r.Context())
	}
	return map[string]string{"status": "ok"}, nil
}

// collectedAt returns when a report was collected, by the local clock. It corrects the
// host's clock by the header Date (RFC 9110, 6.6.1), because a host whose clock is
// slow by more than offline_after would always be offline.
func collectedAt(r *http.Request, at, now time.Time) time.Time {
	sent, err := http.ParseTime(r.Header.Get("Date"))
	if err != nil || at.IsZero() {
		return at
	}
	// A report of the current second may be newer than Date, which has whole seconds.
	return now.Add(-max(0, sent.Sub(at)))
}

// remoteAddress returns the IP address of the client, "" if it is unknown.
func remoteAddress(r *http.Request) string {
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

// agentError returns the error with the status of the response. It logs rejected
// requests, because the log of the agent is on another host.
func (a *api) agentError(r *http.Request, err error) error {
	switch {
	case errors.Is(err, host.ErrUnknown):
		err = codedError(http.StatusNotFound, "%s", host.ErrUnknown)
	case errors.Is(err, host.ErrForbidden):
		err = codedError(http.StatusForbidden, "%s", host.ErrForbidden)
	case errors.Is(err, host.ErrFull):
		err = codedError(http.StatusForbidden, "%s", host.ErrFull)
	case errors.Is(err, host.ErrTooLarge):
		err = codedError(http.StatusRequestEntityTooLarge, "%s", host.ErrTooLarge)
	}
	var rejected *httpError
	if errors.As(err, &rejected) {
		a.Log.WarnContext(r.Context(), "agent rejected", "host", truncate(r.PathValue("id")), "token", Caller(r.Context()).Name, "err", err)
	}
	return err
}

const (
	// maxReportDepth is the limit on the nesting of a report, and maxReportTokens on
	// the number of its names and values.
	maxReportDepth  = 32
	maxReportTokens = 20_000
	// maxServiceName is the limit on the name of a service, in bytes.
	maxServiceName = 128
	// maxRunID is the limit on the id of an agent's run, in bytes.
	maxRunID = 64
)

// reportBody is the body of a report.
type reportBody struct {
	ClientID string          `json:"client_id"`
	Service  string          `json:"service_name"`
	Data     json.RawMessage `json:"data"`
	At       requestTime     `json:"at"`
	RunID    string          `json:"run_id"`
}

// readReport parses the body of a report: JSON, or a form whose data is JSON.
func (a *api) readReport(r *http.Request) (*reportBody, error) {
	media, err := mediaType(r, []string{"application/json", intake.Form})
	if err != nil {
		return nil, err
	}
	text, err := readBody(r, a.Webhook.maxBody())
	if err != nil {
		return nil, err
	}
	var body *reportBody
	if media == intake.Form {
		body, err = parseReportForm(text)
	} else {
		body, err = parseReportJSON(text)
	}
	switch {
	case err != nil:
		return nil, err
	case body.ClientID == "":
		return nil, codedError(http.StatusBadRequest, "client_id is missing: it is the id of the host")
	case body.Service == "":
		return nil, codedError(http.StatusBadRequest, "service_name is missing: it is the name of the collected service")
	case len(body.Service) > maxServiceName:
		return nil, codedError(http.StatusBadRequest, "service_name has more than %d bytes", maxServiceName)
	case len(body.RunID) > maxRunID:
		return nil, codedError(http.StatusBadRequest, "run_id has more than %d bytes", maxRunID)
	case len(body.Data) == 0 || string(body.Data) == "null":
		return nil, codedError(http.StatusBadRequest, "data is missing: it is the collected values")
	}
	return body, nil
}

func parseReportJSON(text []byte) (*reportBody, error) {
	if err := checkJSON(text); err != nil {
		return nil, codedError(http.StatusBadRequest, "the body is invalid: %s", err)
	}
	var body reportBody
	if err := json.Unmarshal(text, &body); err != nil {
		return nil, codedError(http.StatusBadRequest, "the body is invalid: %s", explainDecodeError(err))
	}
	return &body, nil
}

func parseReportForm(text []byte) (*reportBody, error) {
	form, err := url.ParseQuery(string(text))
	if err != nil {
		return nil, codedError(http.StatusBadRequest, "the body is not a form: %s", truncate(err.Error()))
	}
	for name, values := range form {
		if len(values) > 1 || !utf8.ValidString(name) || !utf8.ValidString(values[0]) {
			return nil, codedError(http.StatusBadRequest, "the field %q is repeated or not UTF-8", truncate(name))
		}
	}
	body := &reportBody{ClientID: form.Get("client_id"), Service: form.Get("service_name"), Data: json.RawMessage(form.Get("data")), RunID: form.Get("run_id")}
	if err := body.At.UnmarshalText([]byte(form.Get("at"))); err != nil {
		return nil, codedError(http.StatusBadRequest, "at: %s", err)
	}
	if len(body.Data) > 0 {
		if err := checkJSON(body.Data); err != nil {
			return nil, codedError(http.StatusBadRequest, "data: %s", err)
		}
	}
	return body, nil
}

// checkJSON returns an error unless text is one JSON value in UTF-8 (RFC 8259) within
// the limits and without duplicate names in objects.
func checkJSON(text []byte) error {
	dec := jsontext.NewDecoder(bytes.NewReader(text))
	for n := 1; n == 1 || dec.StackDepth() > 0; n++ {
		if _, err := dec.ReadToken(); err != nil {
			return errors.New("invalid JSON: " + truncate(err.Error()))
		}
		switch {
		case dec.StackDepth() > maxReportDepth:
			return fmt.Errorf("nested more than %d levels deep", maxReportDepth)
		case n > maxReportTokens:
			return fmt.Errorf("more than %d names and values", maxReportTokens)
		}
	}
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return errors.New("unexpected data after the JSON value")
	}
	return nil
}
