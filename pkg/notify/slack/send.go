package slack

import (
	"context"
	"net/http"
	"strings"
	"time"

	"tocsin/pkg/notify"
	"tocsin/pkg/notify/chat"
)

// send delivers one message. Success is status 200 with the text "ok".
func send(ctx context.Context, client *http.Client, address string, payload []byte) error {
	response, err := notify.PostJSON(ctx, client, address, nil, payload)
	if err != nil {
		return err
	}
	word := strings.TrimSpace(string(response.Body))
	if response.Status == http.StatusOK && word == "ok" {
		return nil
	}
	// The word decides, whatever the status.
	if e := errorTable.Find(word, ""); e != nil {
		return e
	}
	e := response.StatusError()
	switch {
	case e == nil:
		return chat.ForeignResponse("Slack", `"ok"`, response)
	case e.Class == notify.Rate:
		e.RetryAfter = max(e.RetryAfter, time.Second)
	}
	return e
}

// errorTable has the words of
// docs.slack.dev/messaging/sending-messages-using-incoming-webhooks.
var errorTable = chat.ErrorTable{
	{Codes: "invalid_token no_service_id", Class: notify.Permanent,
		Message: "the webhook's address is wrong: copy it again from the app's settings"},
	{Codes: "no_service no_active_hooks", Class: notify.Permanent,
		Message: "the webhook was removed or switched off: create another one, and put its address under api_url"},
	{Codes: "no_team team_disabled", Class: notify.Permanent,
		Message: "the webhook's workspace is gone: create a webhook in another one"},
	{Codes: "user_not_found channel_not_found", Class: notify.Permanent,
		Message: "there is no such channel or user: correct channel, or create another webhook"},
	{Codes: "channel_is_archived", Class: notify.Permanent,
		Message: "the channel is archived: restore it, or create a webhook for another one"},
	{Codes: "action_prohibited posting_to_general_channel_denied", Class: notify.Permanent,
		Message: "the workspace does not allow this message: its administrator restricts who posts where"},
	{Codes: "invalid_payload", Class: notify.Permanent,
		Message: "Slack cannot parse the message: check what the templates print"},
	{Codes: "no_text", Class: notify.Permanent,
		Message: "the message is empty: check what the template under text prints"},
	{Codes: "too_many_attachments", Class: notify.Permanent,
		Message: "Slack finds too many attachments"},
	{Codes: "msg_too_long", Class: notify.TooLong,
		Message: "the message is too long"},
}
