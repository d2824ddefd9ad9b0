package webhook

import "tocsin/pkg/localcloud/inbox"

// Entry returns the message as the receiving server sees it.
func (m Message) Entry() inbox.Entry {
	return inbox.Entry{Channel: "Webhook", To: m.Path, Text: string(m.Body), HTML: inbox.Text(string(m.Body))}
}
