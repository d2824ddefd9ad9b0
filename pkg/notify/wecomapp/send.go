package wecomapp

import (
	"context"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"tocsin/pkg/notify"
	"tocsin/pkg/notify/chat"
	"tocsin/pkg/notify/wecom"
)

// accepted is WeCom's response to a message that it took.
type accepted struct {
	Users      string `json:"invaliduser"`
	Parties    string `json:"invalidparty"`
	Tags       string `json:"invalidtag"`
	Unlicensed string `json:"unlicenseduser"`
}

// send delivers one message. A token that WeCom revoked before its time is replaced
// once.
func (a *app) send(ctx context.Context, payload []byte) (*accepted, error) {
	token, err := a.tokens.get(ctx, "")
	if err != nil {
		return nil, err
	}
	response, e := a.post(ctx, token, payload)
	if e != nil && (e.Code == codeInvalidToken || e.Code == codeExpiredToken) {
		if token, err = a.tokens.get(ctx, token); err != nil {
			return nil, err
		}
		response, e = a.post(ctx, token, payload)
	}
	if e != nil {
		return nil, e
	}
	return response, nil
}

func (a *app) post(ctx context.Context, token string, payload []byte) (*accepted, *notify.Error) {
	address := a.api + "message/send?access_token=" + url.QueryEscape(token)
	response, err := notify.PostJSON(ctx, a.env.HTTP, address, nil, payload)
	if err != nil {
		return nil, notify.AsError(err)
	}
	if e := checkResponse(response); e != nil {
		return nil, e
	}
	var body accepted
	if e := response.Decode(&body); e != nil {
		return nil, e
	}
	return &body, nil
}

// errorOf returns the error of one recipient of a message that was accepted. WeCom
// accepts a message that it can deliver to any recipient, and lists the others in
// lower case.
func (a *accepted) errorOf(r recipient) error {
	listed := func(list string) bool {
		return slices.ContainsFunc(strings.Split(list, "|"), func(s string) bool { return strings.EqualFold(s, r.id) })
	}
	var message string
	switch {
	case r.kind == user && listed(a.Unlicensed):
		message = "no licence was bought for user %s: buy one, or take them out of to_user"
	case r.kind == user && listed(a.Users):
		message = "WeCom knows no user %s that the application may write to: correct to_user, or add them to the application's visible range (可见范围)"
	case r.kind == party && listed(a.Parties):
		message = "WeCom knows no department %s that the application may write to: correct to_party, or add it to the application's visible range (可见范围)"
	case r.kind == tag && listed(a.Tags):
		message = "WeCom knows no tag %s that the application may write to: correct to_tag, or let the application see it"
	default:
		return nil
	}
	return &notify.Error{Class: notify.Permanent, Message: fmt.Sprintf(message, r.id)}
}

// checkResponse returns nil when WeCom accepted a request.
func checkResponse(r *notify.Response) *notify.Error {
	e := wecom.CheckResponse(r, errorTable)
	if e != nil && e.Code == codeUntrustedIP {
		nameCaller(e)
	}
	return e
}

// nameCaller writes the address that called into the error of an untrusted one, if
// WeCom named it.
func nameCaller(e *notify.Error) {
	_, after, _ := strings.Cut(e.Message, "from ip: ")
	if ip, err := netip.ParseAddr(strings.TrimRight(strings.SplitN(after+" ", " ", 2)[0], ",\"")); err == nil {
		e.Message = strings.Replace(e.Message, unknownCaller, ip.String(), 1)
	}
}

const (
	codeInvalidToken = "40014"
	codeExpiredToken = "42001"
	codeUntrustedIP  = "60020"

	unknownCaller = "the address that Tocsin calls from"
)

var errorTable = chat.ErrorTable{
	{Codes: "40001", Class: notify.Permanent,
		Message: "api_secret is wrong: copy the application's secret from the admin console. It is not tried again for a while, because wrong secrets block the address"},
	{Codes: "40091", Class: notify.Permanent,
		Message: "api_secret belongs to another company than corp_id: copy both again from the admin console"},
	{Codes: "40013 41002", Class: notify.Permanent, Message: "corp_id is wrong: the admin console shows it under 我的企业"},
	{Codes: "41004", Class: notify.Permanent, Message: "api_secret is missing"},
	{Codes: codeInvalidToken + " " + codeExpiredToken + " 41001", Class: notify.Retry,
		Message: "WeCom rejects the access token that it has just given"},
	{Codes: "45009", Class: notify.Rate, RetryAfter: time.Minute, Message: "the application has called too often"},
	{Codes: "45033", Class: notify.Retry, Message: "too many calls of the application at the same time"},
	{Codes: "48002 48006", Class: notify.Permanent,
		Message: "the application may not call this API: check its permissions in the admin console (long disuse withdraws them)"},
	{Codes: "50003", Class: notify.Permanent, Message: "the application is disabled: enable it in the admin console"},
	// Applications made since 2022 take calls from listed addresses only.
	{Codes: codeUntrustedIP, Class: notify.Permanent,
		Message: "WeCom does not let " + unknownCaller + " call: add it to the application's trusted addresses (企业可信IP); a function needs a fixed address for that, from a NAT gateway"},
	{Codes: "60011 301002", Class: notify.Permanent,
		Message: "the application may not write to these members, or this secret is another application's: check its visible range (可见范围), agent_id and api_secret"},
	{Codes: "81013", Class: notify.Permanent,
		Message: "WeCom knows none of the recipients, or the application may not write to them: correct to_user, to_party and to_tag, or the application's visible range (可见范围)"},
	{Codes: "82001", Class: notify.Permanent,
		Message: "there are no recipients: check what the templates under to_user, to_party and to_tag print"},
	{Codes: "40056", Class: notify.Permanent, Message: "agent_id is wrong: the admin console shows it with the application"},
}
