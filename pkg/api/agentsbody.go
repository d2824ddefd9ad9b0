package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"tocsin/pkg/intake"
)

const (
	// maxReportDepth bounds how deep the values of a report may be nested, and
	// maxReportTokens how many names and values there may be.
	maxReportDepth  = 32
	maxReportTokens = 20_000
	// maxServiceName is the bytes of a service's name.
	maxServiceName = 128
)

// reportBody is a report as it comes.
type reportBody struct {
	ClientID string          `json:"client_id"`
	Service  string          `json:"service_name"`
	Data     json.RawMessage `json:"data"`
	At       moment          `json:"at"`
}

// report reads the body of a report: JSON, or a form whose data is JSON.
func (a *api) report(r *http.Request) (*reportBody, error) {
	media, err := mediaType(r, []string{"application/json", intake.Form})
	if err != nil {
		return nil, err
	}
	text, err := readPacked(r, a.Webhook.maxBody())
	if err != nil {
		return nil, err
	}
	var body *reportBody
	if media == intake.Form {
		body, err = reportForm(text)
	} else {
		body, err = reportJSON(text)
	}
	switch {
	case err != nil:
		return nil, err
	case body.ClientID == "":
		return nil, malformed(http.StatusBadRequest, "client_id is missing: it is the id of the host")
	case body.Service == "":
		return nil, malformed(http.StatusBadRequest, "service_name is missing: it is the name of what was collected")
	case len(body.Service) > maxServiceName:
		return nil, malformed(http.StatusBadRequest, "service_name has more than %d bytes", maxServiceName)
	case len(body.Data) == 0 || string(body.Data) == "null":
		return nil, malformed(http.StatusBadRequest, "data is missing: it is what was collected")
	}
	return body, nil
}

func reportJSON(text []byte) (*reportBody, error) {
	if err := checkJSON(text); err != nil {
		return nil, malformed(http.StatusBadRequest, "the body: %s", err)
	}
	var body reportBody
	if err := json.Unmarshal(text, &body); err != nil {
		return nil, malformed(http.StatusBadRequest, "the body: %s", explain(err))
	}
	return &body, nil
}

func reportForm(text []byte) (*reportBody, error) {
	form, err := url.ParseQuery(string(text))
	if err != nil {
		return nil, malformed(http.StatusBadRequest, "the body is not a form: %s", cut(err.Error()))
	}
	for name, values := range form {
		if len(values) > 1 || !utf8.ValidString(name) || !utf8.ValidString(values[0]) {
			return nil, malformed(http.StatusBadRequest, "the field %q is there twice, or is not UTF-8", cut(name))
		}
	}
	body := &reportBody{ClientID: form.Get("client_id"), Service: form.Get("service_name"), Data: json.RawMessage(form.Get("data"))}
	if err := body.At.UnmarshalText([]byte(form.Get("at"))); err != nil {
		return nil, malformed(http.StatusBadRequest, "at: %s", err)
	}
	if len(body.Data) > 0 {
		if err := checkJSON(body.Data); err != nil {
			return nil, malformed(http.StatusBadRequest, "data: %s", err)
		}
	}
	return body, nil
}

// checkJSON makes sure that text is one JSON value in UTF-8 (RFC 8259) within the
// bounds, in which no object has a name twice.
func checkJSON(text []byte) error {
	dec := jsontext.NewDecoder(bytes.NewReader(text))
	for n := 1; n == 1 || dec.StackDepth() > 0; n++ {
		if _, err := dec.ReadToken(); err != nil {
			return errors.New("it is not JSON: " + cut(err.Error()))
		}
		switch {
		case dec.StackDepth() > maxReportDepth:
			return fmt.Errorf("it is nested more than %d deep", maxReportDepth)
		case n > maxReportTokens:
			return fmt.Errorf("it has more than %d names and values", maxReportTokens)
		}
	}
	if _, err := dec.ReadToken(); !errors.Is(err, io.EOF) {
		return errors.New("more follows behind the JSON value")
	}
	return nil
}
