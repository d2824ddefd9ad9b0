package wecom

import (
	"fmt"
	"html/template"
	"slices"
	"strconv"
	"strings"

	"tocsin/pkg/localcloud/inbox"
	"tocsin/pkg/localcloud/provision"
)

// Entry returns the message as the group sees it.
func (m Message) Entry() inbox.Entry {
	e := inbox.Entry{Channel: inbox.WeComGroup}
	switch m.Type {
	case "text":
		e.Text, e.HTML = m.Content, inbox.Text(m.Content)
	case "image":
		e.Text = fmt.Sprintf("[a picture of %d bytes]", len(m.Image))
		e.HTML = template.HTML(`<img src="` + inbox.DataURL("image/png", m.Image) + `">`)
	default:
		e.Text, e.HTML = inbox.Markdown(m.Content)
	}
	for _, name := range slices.Concat(m.Users, m.Mobiles) {
		e.Text += " @" + name
		e.HTML += inbox.Text(" @" + name)
	}
	return e
}

// Entry returns the message as its recipients see it.
func (m AppMessage) Entry() inbox.Entry {
	e := inbox.Entry{Channel: "WeCom application", To: strings.Join(slices.Concat(m.Users, m.Parties, m.Tags), ", ")}
	if m.Type == "markdown" {
		e.Text, e.HTML = inbox.Markdown(m.Content)
	} else {
		e.Text, e.HTML = m.Content, inbox.Text(m.Content)
	}
	return e
}

// Provision adds the robot of a webhook address.
func (s *Server) Provision(decode provision.Decoder) error {
	var settings struct {
		URL provision.Address `yaml:"url"`
	}
	if err := decode(&settings); err != nil {
		return err
	}
	s.Add(settings.URL.Query().Get("key"))
	return nil
}

// Provision adds an application, which may write to the recipients that its settings
// name.
func (s *Apps) Provision(decode provision.Decoder) error {
	var settings struct {
		CorpID  string `yaml:"corp_id"`
		Secret  string `yaml:"api_secret"`
		AgentID string `yaml:"agent_id"`
		ToUser  string `yaml:"to_user"`
		ToParty string `yaml:"to_party"`
		ToTag   string `yaml:"to_tag"`
	}
	if err := decode(&settings); err != nil {
		return err
	}
	agent, err := strconv.Atoi(settings.AgentID)
	if err != nil {
		return fmt.Errorf("agent_id %q is not a number", settings.AgentID)
	}
	s.Add(App{
		CorpID: settings.CorpID, Secret: settings.Secret, AgentID: agent,
		Users: strings.Split(settings.ToUser, "|"), Parties: strings.Split(settings.ToParty, "|"), Tags: strings.Split(settings.ToTag, "|"),
	})
	return nil
}
