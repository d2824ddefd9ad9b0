package feishu

import (
	"path"

	"tocsin/pkg/localcloud/inbox"
	"tocsin/pkg/localcloud/provision"
)

// Entry returns the message as the group sees it.
func (m Message) Entry() inbox.Entry {
	e := inbox.Entry{Channel: "Feishu group", Title: m.Title}
	e.Text, e.HTML = inbox.Markdown(m.Content)
	return e
}

// Provision adds the robot of a webhook address, in a group with the people that its
// settings mention.
func (s *Server) Provision(decode provision.Decoder) error {
	var settings struct {
		URL    provision.Address `yaml:"url"`
		Secret string            `yaml:"secret"`
		At     struct {
			OpenIDs []string `yaml:"open_ids"`
			All     bool     `yaml:"all"`
		} `yaml:"at"`
	}
	if err := decode(&settings); err != nil {
		return err
	}
	s.Add(Robot{Token: path.Base(settings.URL.Path), Secret: settings.Secret, Members: settings.At.OpenIDs, MentionAll: settings.At.All})
	return nil
}
