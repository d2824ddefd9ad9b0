package wecomapp

import (
	"net/netip"
	"strings"
	"time"

	"tocsin/pkg/notify"
	"tocsin/pkg/notify/wecom"
)

// Codes of an access token that WeCom does not take any more.
const (
	codeBadToken = "40014"
	codeOldToken = "42001"
)

// patience is how long to wait when the application has called too often: the
// limits are by the minute.
const patience = time.Minute

// refusal turns an errcode into an error; said is the vendor's errmsg, cleaned.
func refusal(code int, said string) *notify.Error {
	e := &notify.Error{Class: notify.Permanent}
	switch code {
	case 40001:
		e.Message = "api_secret is wrong: copy the application's secret from the admin console. It is not tried again for a while, because wrong secrets block the address"
	case 40091:
		e.Message = "api_secret belongs to another company than corp_id: copy both again from the admin console"
	case 40013, 41002:
		e.Message = "corp_id is wrong: the admin console shows it under 我的企业"
	case 41004:
		e.Message = "api_secret is missing"
	case 40014, 42001, 41001:
		e.Class, e.Message = notify.Retry, "WeCom does not take the access token that it has just given"
	case 45009:
		e.Class, e.RetryAfter, e.Message = notify.Rate, patience, "the application has called too often"
	case 45033:
		e.Class, e.Message = notify.Retry, "too many calls of the application at the same time"
	case 48002, 48006:
		e.Message = "the application may not call this API: see its permissions in the admin console (long disuse withdraws them)"
	case 50003:
		e.Message = "the application is disabled: enable it in the admin console"
	case 60020:
		e.Message = untrusted(said)
	case 60011, 301002:
		e.Message = "the application may not write to these members, or this secret is another application's: see its visible range (可见范围), agent_id and api_secret"
	case 81013:
		e.Message = "WeCom knows none of the recipients, or the application may not write to them: correct to_user, to_party and to_tag, or the application's visible range (可见范围)"
	case 82001:
		e.Message = "there are no recipients: see what the templates under to_user, to_party and to_tag print"
	case 40056:
		e.Message = "agent_id is wrong: the admin console shows it with the application"
	}
	wecom.Complete(e, code, said)
	return e
}

// untrusted explains 60020: applications made since 2022 take calls from listed
// addresses only. The vendor's text names the one that called.
func untrusted(said string) string {
	from := "the address that Tocsin calls from"
	_, after, _ := strings.Cut(said, "from ip: ")
	if ip, err := netip.ParseAddr(strings.TrimRight(strings.SplitN(after+" ", " ", 2)[0], ",")); err == nil {
		from = ip.String()
	}
	return "WeCom does not let " + from + " call: add it to the application's trusted addresses (企业可信IP); a function needs a fixed address for that, from a NAT gateway"
}
