package smtp

import (
	"html/template"
	"strings"

	"tocsin/pkg/localcloud/inbox"
)

// Entry returns the mail as a mail program shows it, isolated from the page around it
// and with its pictures.
func (m Mail) Entry() inbox.Entry {
	e := inbox.Entry{Channel: inbox.Email, Title: m.Subject, Text: m.Text}
	if len(m.To) > 0 {
		e.To = m.To[0]
	}
	html := m.HTML
	for id, picture := range m.Inline {
		html = strings.ReplaceAll(html, `"cid:`+id+`"`, `"`+inbox.DataURL(picture.Type, picture.Content)+`"`)
	}
	e.HTML = template.HTML(`<iframe sandbox srcdoc="` + template.HTMLEscapeString(html) + `"></iframe>`)
	return e
}
