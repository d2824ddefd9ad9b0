package dingtalk

import (
	"tocsin/pkg/localcloud/inbox"
	"tocsin/pkg/localcloud/provision"
)

// Entry returns the message as the group sees it.
func (m Message) Entry() inbox.Entry {
	e := inbox.Entry{Channel: "DingTalk group"}
	if m.Type == "markdown" {
		e.Text, e.HTML = inbox.Markdown(m.Text)
	} else {
		e.Text, e.HTML = m.Text, inbox.Text(m.Text)
	}
	return e
}

// Provision adds the robot of a webhook address.
func (s *Server) Provision(decode provision.Decoder) error {
	var settings struct {
		URL    provision.Address `yaml:"url"`
		Secret string            `yaml:"secret"`
	}
	if err := decode(&settings); err != nil {
		return err
	}
	s.Add(settings.URL.Query().Get("access_token"), Robot{Secret: settings.Secret})
	return nil
}
