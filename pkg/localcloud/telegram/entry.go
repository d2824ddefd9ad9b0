package telegram

import (
	"fmt"
	"strconv"

	"tocsin/pkg/localcloud/inbox"
	"tocsin/pkg/localcloud/provision"
)

// Entry returns the message as the chat sees it.
func (m Message) Entry() inbox.Entry {
	return inbox.Entry{Channel: "Telegram", To: strconv.FormatInt(m.ChatID, 10), Text: m.Text, HTML: inbox.Text(m.Text)}
}

// Provision adds the bot of a sender and its chat.
func (s *Server) Provision(decode provision.Decoder) error {
	var settings struct {
		Token  string `yaml:"bot_token"`
		ChatID string `yaml:"chat_id"`
		Topic  int    `yaml:"message_thread_id"`
	}
	if err := decode(&settings); err != nil {
		return err
	}
	id, err := strconv.ParseInt(settings.ChatID, 10, 64)
	if err != nil {
		return fmt.Errorf("chat_id %q is not a number", settings.ChatID)
	}
	c := Chat{ID: id}
	if settings.Topic != 0 {
		c.Topics = []int{settings.Topic}
	}
	s.Add(settings.Token, c)
	return nil
}
