// Package wecom is shared by WeCom's two channels, group robots and applications:
// their markdown, their error codes and their user ids.
package wecom

import (
	"cmp"
	"strconv"
	"strings"

	"tocsin/pkg/notify"
	"tocsin/pkg/notify/chat"
	"tocsin/pkg/render"
)

// Everybody is the user id that stands for all members.
const Everybody = "@all"

// IsUser reports whether a name can be a user id: letters, digits and "_-@.", up to 64
// bytes (developer.work.weixin.qq.com/document/path/90195). Everybody is one if it is the
// configuration's own.
func IsUser(name render.Name) bool {
	s := name.Text
	if s == "" || len(s) > 64 {
		return false
	}
	for _, c := range []byte(s) {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("_-@.", c) >= 0) {
			return false
		}
	}
	return s == Everybody && !name.FromAlert || s[0] != '@'
}

// CheckResponse returns nil when a response has an errcode of zero. WeCom responds
// with status 200 whether or not it accepts a request, and so may a proxy. The
// channel's own table is searched before the codes that both channels have.
func CheckResponse(r *notify.Response, channel chat.ErrorTable) *notify.Error {
	if err := r.StatusError(); err != nil {
		return err
	}
	var body struct {
		Code *int   `json:"errcode"`
		Text string `json:"errmsg"`
	}
	if err := r.Decode(&body); err != nil {
		return err
	}
	switch {
	case body.Code == nil:
		return chat.ForeignResponse("WeCom", "errcode", r)
	case *body.Code == 0:
		return nil
	}
	code, text := strconv.Itoa(*body.Code), r.Sanitize(body.Text)
	e := cmp.Or(channel.Find(code, text), errorTable.Find(code, text), chat.UnknownError("WeCom", code))
	return chat.WithVendorText(e, "WeCom", text)
}

// errorTable has the codes of developer.work.weixin.qq.com/document/path/90313 that
// both channels can get. WeCom warns not to rely on errmsg, so it decides only where
// a code stands for several errors.
var errorTable = chat.ErrorTable{
	{Codes: "-1", Class: notify.Retry, Message: "WeCom is busy"},
	{Codes: "45002", Class: notify.TooLong, Message: "the message is too long"},
	{Codes: "40058", About: []string{"length", "too long", "长度"}, Class: notify.TooLong, Message: "the message is too long"},
	{Codes: "40058", Class: notify.Permanent, Message: "WeCom finds a parameter illegal"},
	{Codes: "44004", Class: notify.Permanent, Message: "the message is empty: check what the template under message prints"},
	{Codes: "40063", Class: notify.Permanent, Message: "a required field is empty"},
	{Codes: "40008", Class: notify.Permanent, Message: "WeCom does not know this type of message"},
	{Codes: "40033", Class: notify.Permanent, Message: `WeCom finds an illegal character, of the form \uxxxx`},
}
