package wecomapp

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"tocsin/pkg/notify"
)

// accepted is WeCom's answer to a message that it took.
type accepted struct {
	Users      string `json:"invaliduser"`
	Parties    string `json:"invalidparty"`
	Tags       string `json:"invalidtag"`
	Unlicensed string `json:"unlicenseduser"`
}

// send delivers one message. A token that WeCom has ended before its time is
// replaced once.
func (a *app) send(ctx context.Context, payload []byte) (*accepted, error) {
	value, err := a.tokens.get(ctx, "")
	if err != nil {
		return nil, err
	}
	taken, e := a.post(ctx, value, payload)
	if e != nil && (e.Code == codeBadToken || e.Code == codeOldToken) {
		if value, err = a.tokens.get(ctx, value); err != nil {
			return nil, err
		}
		taken, e = a.post(ctx, value, payload)
	}
	if e != nil {
		return nil, e
	}
	return taken, nil
}

func (a *app) post(ctx context.Context, token string, payload []byte) (*accepted, *notify.Error) {
	address := a.api + "message/send?access_token=" + url.QueryEscape(token)
	answer, err := notify.PostJSON(ctx, a.env.HTTP, address, nil, payload)
	if err != nil {
		return nil, notify.AsError(err)
	}
	if answer.Status == http.StatusOK && successful(answer) {
		var taken accepted
		if err := answer.Decode(&taken); err != nil {
			return nil, err
		}
		return &taken, nil
	}
	return nil, failure(answer)
}

// successful tells whether an answer has an errcode and it is zero.
func successful(answer *notify.Response) bool {
	var body struct {
		Code *int `json:"errcode"`
	}
	return json.Unmarshal(answer.Body, &body) == nil && body.Code != nil && *body.Code == 0
}

// failure says what an answer means that is no success. WeCom answers 200
// whatever happened, and so may a proxy.
func failure(answer *notify.Response) *notify.Error {
	if err := answer.StatusError(); err != nil {
		return err
	}
	var body struct {
		Code    *int   `json:"errcode"`
		Message string `json:"errmsg"`
	}
	if err := answer.Decode(&body); err != nil {
		return err
	}
	if body.Code == nil || *body.Code == 0 {
		return &notify.Error{
			Class:     notify.Retry,
			Message:   fmt.Sprintf("the answer is not WeCom's, an errcode or an access token is missing: it says %q", answer.BodyExcerpt()),
			Ambiguous: true,
		}
	}
	return refusal(*body.Code, answer.Sanitize(body.Message))
}

// outcome tells what became of a message for one recipient. WeCom takes a
// message when it can deliver it to anybody, and lists the others in lower case.
func (t *accepted) outcome(r recipient) error {
	listed := func(list string) bool {
		return slices.ContainsFunc(strings.Split(list, "|"), func(s string) bool { return strings.EqualFold(s, r.id) })
	}
	message := ""
	switch {
	case r.kind == user && listed(t.Unlicensed):
		message = "no licence was bought for user %s: buy one, or take them out of to_user"
	case r.kind == user && listed(t.Users):
		message = "WeCom knows no user %s whom the application may write to: correct to_user, or add them to the application's visible range (可见范围)"
	case r.kind == party && listed(t.Parties):
		message = "WeCom knows no department %s that the application may write to: correct to_party, or add it to the application's visible range (可见范围)"
	case r.kind == tag && listed(t.Tags):
		message = "WeCom knows no tag %s that the application may write to: correct to_tag, or let the application see it"
	default:
		return nil
	}
	return &notify.Error{Class: notify.Permanent, Message: fmt.Sprintf(message, r.id)}
}
