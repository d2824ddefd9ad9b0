package dingtalk

import (
	"tocsin/pkg/notify"
	"tocsin/pkg/render"
)

// letter is a notification in words, before it is cut into messages.
type letter struct {
	layout
	doc    *render.Document
	title  string // escaped; of markdown
	own    string // the user's own text; "" for the built-in one
	people mentions
	limit  int // bytes of a request
}

// body is one message: its text with the markup, and the request that says it.
type body struct {
	text string
	json []byte
}

// bodies cuts the letter into requests that keep the limit. DingTalk counts the
// bytes of the whole request, in which the people stand too, and in which quotes
// and line breaks have two bytes; so what a text may have is found by trying.
func (l *letter) bodies() ([]body, error) {
	for room := l.limit - l.limit/20; ; room -= room / 10 {
		out, fits, err := l.try(room)
		if err != nil || fits || room < l.limit/4 {
			return out, err
		}
	}
}

// try cuts the letter into texts of up to room bytes.
func (l *letter) try(room int) (out []body, fits bool, err error) {
	texts := l.texts(room)
	fits = true
	for i, text := range texts {
		b := body{text: text}
		people := mentions{}
		if i == 0 {
			people = l.people
		}
		if b.json, err = notify.EncodeJSON(l.message(l.title+marker(i+1, len(texts)), text, people)); err != nil {
			return nil, false, err
		}
		fits = fits && len(b.json) <= l.limit
		out = append(out, b)
	}
	return out, fits, nil
}

func (l *letter) texts(room int) []string {
	mention := l.people.String()
	if l.own != "" {
		return l.packText(l.own, mention, room)
	}
	return l.pack(l.doc, mention, room)
}

// message is the body of a request.
func (l layout) message(title, text string, people mentions) any {
	type content struct {
		Content string `json:"content"`
	}
	type markdown struct {
		Title string `json:"title"`
		Text  string `json:"text"`
	}
	m := struct {
		Type     string    `json:"msgtype"`
		Text     *content  `json:"text,omitempty"`
		Markdown *markdown `json:"markdown,omitempty"`
		At       *mentions `json:"at,omitempty"`
	}{Type: typeText}
	if l.markdown {
		m.Type, m.Markdown = typeMarkdown, &markdown{title, text}
	} else {
		m.Text = &content{text}
	}
	if people.any() {
		m.At = &people
	}
	return m
}
