package feishu

import (
	"cmp"
	"fmt"
	"strings"

	"tocsin/pkg/notify"
	"tocsin/pkg/render"
)

// card is one message before it is encoded.
type card struct{ title, colour, markdown string }

// request is the body that Feishu takes.
type request struct {
	Timestamp string    `json:"timestamp,omitempty"`
	Sign      string    `json:"sign,omitempty"`
	Type      string    `json:"msg_type"`
	Card      *cardBody `json:"card,omitempty"`
	Content   *textBody `json:"content,omitempty"`
}

type textBody struct {
	Text string `json:"text"`
}

type cardBody struct {
	Config   config    `json:"config"`
	Header   header    `json:"header"`
	Elements []element `json:"elements"`
}

type config struct {
	Wide bool `json:"wide_screen_mode"`
}

type header struct {
	Template string  `json:"template"`
	Title    element `json:"title"`
}

type element struct {
	Tag     string `json:"tag"`
	Content string `json:"content"`
}

// interactive is the card as it is meant.
func (c card) interactive() request {
	return request{Type: "interactive", Card: &cardBody{
		Config:   config{Wide: true},
		Header:   header{Template: c.colour, Title: element{"plain_text", c.title}},
		Elements: []element{{"markdown", c.markdown}},
	}}
}

// text is what is left of the card when Feishu refuses it. It mentions the same
// people: in a text an id that is not known is only shown.
func (c card) text() request {
	bare, mentioned := cutMentions(c.markdown)
	text := c.title + "\n" + harmless(preview(bare))
	for _, id := range mentioned {
		if id == everybody || isOpenID(id) {
			text += ` <at user_id="` + id + `"></at>`
		}
	}
	return request{Type: "text", Content: &textBody{text}}
}

// colour is that of the header.
func colour(doc *render.Document) string {
	switch {
	case doc.Resolved:
		return "green"
	case doc.Severity == render.Critical:
		return "red"
	case doc.Severity == render.Info:
		return "blue"
	default:
		return "orange"
	}
}

// fill lays blocks out in cards like c whose requests have at most limit bytes,
// in either form. A request is longer than its markdown by what JSON escapes, so
// it is tried with ever less; an eighth of a limit always fits.
func fill(c card, blocks []string, limit int) ([]card, error) {
	for room := limit; ; room -= room / 8 {
		cards, fits := pack(c, blocks, room), true
		for _, part := range cards {
			for _, body := range []request{part.interactive(), part.text()} {
				encoded, err := notify.EncodeJSON(body)
				if err != nil {
					return nil, fmt.Errorf("encode the message: %w", err)
				}
				fits = fits && len(encoded) <= limit
			}
		}
		if fits {
			return cards, nil
		}
	}
}

// pack is fill for a number of bytes of markdown. A line that is longer is cut;
// where there is nothing to say, the title is said again.
func pack(c card, blocks []string, room int) []card {
	short := make([]string, len(blocks))
	for i, block := range blocks {
		if len(block) <= room {
			short[i] = block
			continue
		}
		lines := strings.Split(block, "\n")
		for j, line := range lines {
			lines[j] = cut(line, room)
		}
		short[i] = strings.Join(lines, "\n")
	}
	texts := render.Pack(room, func(int, int) string { return "" }, short)
	out := make([]card, len(texts))
	for i, text := range texts {
		out[i] = card{title: c.title + marker(i+1, len(texts)), colour: c.colour, markdown: cmp.Or(strings.Trim(text, "\n"), escapeLine(c.title))}
	}
	return out
}

func marker(part, parts int) string {
	if parts == 1 {
		return ""
	}
	return fmt.Sprintf(" (%d/%d)", part, parts)
}
