package slack

import (
	"strings"

	"tocsin/pkg/localcloud/inbox"
	"tocsin/pkg/localcloud/provision"
)

// Entry returns the message as the channel sees it.
func (m Message) Entry() inbox.Entry {
	e := inbox.Entry{Channel: "Slack", To: m.Channel, Text: m.Text}
	for _, a := range m.Attachments {
		e.Title, e.Text = a.Title, e.Text+a.Text
	}
	e.HTML = inbox.Text(e.Text)
	return e
}

// Provision adds the incoming webhook of an address.
func (s *Server) Provision(decode provision.Decoder) error {
	var settings struct {
		APIURL provision.Address `yaml:"api_url"`
	}
	if err := decode(&settings); err != nil {
		return err
	}
	s.Add(strings.TrimPrefix(settings.APIURL.Path, Path))
	return nil
}
