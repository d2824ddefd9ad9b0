package wecomapp

import (
	"strings"

	"tocsin/pkg/notify/wecom"
)

// preview returns a message as its reader sees it: without the markup that this
// package writes. A link shows its address.
func (l layout) preview(content string) string {
	if !l.markdown {
		return anchors(content)
	}
	return wecom.Preview(content)
}

// anchors writes <a href="address">name</a> as name: address.
func anchors(s string) string {
	var b strings.Builder
	for {
		before, rest, opened := strings.Cut(s, `<a href="`)
		address, rest, named := strings.Cut(rest, `">`)
		name, after, closed := strings.Cut(rest, `</a>`)
		if !opened || !named || !closed {
			return b.String() + s
		}
		b.WriteString(before + name + ": " + address)
		s = after
	}
}
