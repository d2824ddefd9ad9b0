package feishu

import (
	"encoding/json"
	"regexp"
	"strings"
)

// maxTables is how many tables a card may have.
const maxTables = 5

// card is a card of either schema. The first ignores an unknown property, the second
// rejects it. Both reject an unknown tag or color, though the vendor does not document
// it.
type card struct {
	Schema string `json:"schema"`
	Header struct {
		Template string `json:"template"`
		Title    text   `json:"title"`
	} `json:"header"`
	Elements []element `json:"elements"`
	Body     struct {
		Elements []element `json:"elements"`
	} `json:"body"`
}

type text struct {
	Tag     string `json:"tag"`
	Content string `json:"content"`
}

type element struct {
	text
	Text text `json:"text"`
	// Elements are those of a note.
	Elements []text `json:"elements"`
}

var (
	v1Tags = map[string]bool{"div": true, "markdown": true, "hr": true, "note": true, "action": true, "img": true}
	v2Tags = map[string]bool{"div": true, "markdown": true, "hr": true, "button": true, "img": true, "table": true}
	v2Keys = map[string]bool{"schema": true, "config": true, "card_link": true, "header": true, "body": true}
	colors = map[string]bool{"": true, "blue": true, "wathet": true, "turquoise": true, "green": true, "yellow": true, "orange": true,
		"red": true, "carmine": true, "violet": true, "purple": true, "indigo": true, "grey": true}

	cardMention = regexp.MustCompile(`<at ([^>]*)>`)
	tableLine   = regexp.MustCompile(`(?m)^\s*\|?\s*:?-{3,}:?\s*\|`)
)

// parseCard fills in the message from a card. Mentions work in its markdown only; one of
// an unknown person rejects the whole card.
func (m *Message) parseCard(raw json.RawMessage, robot Robot) *apiError {
	var keys map[string]json.RawMessage
	var c card
	if json.Unmarshal(raw, &keys) != nil || len(keys) == 0 {
		return badParameters
	}
	if json.Unmarshal(raw, &c) != nil || !colors[c.Header.Template] {
		return unparsable()
	}
	elements, tags := c.Elements, v1Tags
	if c.Schema == "2.0" {
		elements, tags = c.Body.Elements, v2Tags
		for key := range keys {
			if !v2Keys[key] {
				return unparsable()
			}
		}
	}
	if len(elements) == 0 {
		return unparsable()
	}
	var shown, markdown []string
	tables := 0
	for _, e := range elements {
		switch {
		case c.Schema == "2.0" && (e.Tag == "action" || e.Tag == "note"):
			return badCard(200861, "unsupported tag "+e.Tag+", cards of schema V2 no longer support this capability")
		case !tags[e.Tag]:
			return unparsable()
		case e.Tag == "table":
			tables++
		}
		for _, t := range append([]text{e.text, e.Text}, e.Elements...) {
			if t.Content == "" {
				continue
			}
			shown = append(shown, t.Content)
			if t.Tag != "plain_text" {
				markdown = append(markdown, t.Content)
			}
		}
	}
	all := strings.Join(markdown, "\n")
	if c.Schema == "2.0" {
		tables += len(tableLine.FindAllString(all, -1))
	}
	if tables > maxTables {
		return tooManyTables
	}
	m.Title, m.Color, m.Content = c.Header.Title.Content, c.Header.Template, strings.Join(shown, "\n")
	for _, at := range cardMention.FindAllStringSubmatch(all, -1) {
		id, named := strings.CutPrefix(at[1], "id=")
		id = strings.Trim(id, `"'`)
		if !named || !robot.canMention(id) {
			return badCard(100290, "there is an invalid user resource (at/person) in your card; ErrorValue: "+id)
		}
		m.Mentions = append(m.Mentions, id)
	}
	return nil
}
