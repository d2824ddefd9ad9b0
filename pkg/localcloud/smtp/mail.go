package smtp

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"html/template"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"strings"

	"tocsin/pkg/localcloud/inbox"
)

// Mail is a message as it was accepted, and as a mail client shows it.
type Mail struct {
	// From and To are the envelope, not the headers.
	From string
	To   []string
	// Raw is the message as it was transferred.
	Raw []byte
	// Header holds the decoded values.
	Header mail.Header
	// Subject, Text and HTML are what a reader sees.
	Subject string
	Text    string
	HTML    string
	// Inline are the images inside the HTML, which refers to them as cid:ID, by ID.
	Inline map[string]Inline
}

// Inline is one image.
type Inline struct {
	Type    string // such as image/png
	Content []byte
}

// parse parses the header and the text, HTML and inline parts of a message.
func parse(raw []byte) (Mail, error) {
	msg, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return Mail{}, err
	}
	m := Mail{Raw: raw, Header: make(mail.Header, len(msg.Header))}
	for name, values := range msg.Header {
		for _, v := range values {
			decoded, err := new(mime.WordDecoder).DecodeHeader(v)
			if err != nil {
				return Mail{}, fmt.Errorf("header %s: %w", name, err)
			}
			m.Header[name] = append(m.Header[name], decoded)
		}
	}
	m.Subject = m.Header.Get("Subject")
	if err := m.parsePart(msg.Header.Get, msg.Body); err != nil {
		return Mail{}, err
	}
	return m, nil
}

// parsePart parses a part of the body and the parts inside it.
func (m *Mail) parsePart(header func(string) string, body io.Reader) error {
	kind, params, err := mime.ParseMediaType(header("Content-Type"))
	if err != nil {
		return fmt.Errorf("content type: %w", err)
	}
	if strings.HasPrefix(kind, "multipart/") {
		parts := multipart.NewReader(body, params["boundary"])
		for {
			p, err := parts.NextRawPart()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			if err := m.parsePart(p.Header.Get, p); err != nil {
				return err
			}
		}
	}
	text, err := io.ReadAll(decoder(header("Content-Transfer-Encoding"), body))
	if err != nil {
		return fmt.Errorf("%s part: %w", kind, err)
	}
	switch kind {
	case "text/plain":
		m.Text = string(text)
	case "text/html":
		m.HTML = string(text)
	default:
		id, found := strings.CutPrefix(header("Content-ID"), "<")
		id, closed := strings.CutSuffix(id, ">")
		if !found || !closed || id == "" {
			break // an attachment, or an id that clients do not accept
		}
		if m.Inline == nil {
			m.Inline = map[string]Inline{}
		}
		m.Inline[id] = Inline{kind, text}
	}
	return nil
}

func decoder(encoding string, r io.Reader) io.Reader {
	switch strings.ToLower(encoding) {
	case "base64":
		return base64.NewDecoder(base64.StdEncoding, r)
	case "quoted-printable":
		return quotedprintable.NewReader(r)
	default:
		return r
	}
}

// Entry returns the mail as a mail program shows it, with its images, in a frame that
// isolates it from the page.
func (m Mail) Entry() inbox.Entry {
	e := inbox.Entry{Channel: inbox.Email, Title: m.Subject, Text: m.Text}
	if len(m.To) > 0 {
		e.To = m.To[0]
	}
	html := m.HTML
	for id, image := range m.Inline {
		html = strings.ReplaceAll(html, `"cid:`+id+`"`, `"`+inbox.DataURL(image.Type, image.Content)+`"`)
	}
	e.HTML = template.HTML(`<iframe sandbox srcdoc="` + template.HTMLEscapeString(html) + `"></iframe>`)
	return e
}
