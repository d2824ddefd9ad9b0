package slack

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"tocsin/pkg/notify"
)

// send delivers one message. Success is status 200 with the text "ok".
func send(ctx context.Context, client *http.Client, address string, payload []byte) error {
	answer, err := notify.PostJSON(ctx, client, address, nil, payload)
	if err != nil {
		return err
	}
	said := strings.TrimSpace(string(answer.Body))
	if answer.Status == http.StatusOK && said == "ok" {
		return nil
	}
	if e := refusal(said); e != nil {
		return e
	}
	e := answer.StatusError()
	switch {
	case e == nil:
		return &notify.Error{
			Class:     notify.Retry,
			Message:   fmt.Sprintf(`the answer is not Slack's "ok", see whether a proxy stands in between: it says %q`, answer.BodyExcerpt()),
			Ambiguous: true,
		}
	case e.Class == notify.Rate:
		e.RetryAfter = max(e.RetryAfter, time.Second)
	}
	return e
}

// refusal returns what a word means with which Slack refuses a message, whatever
// the status (docs.slack.dev/messaging/sending-messages-using-incoming-webhooks),
// nil when it is none of those.
func refusal(said string) *notify.Error {
	e := &notify.Error{Class: notify.Permanent, Code: said}
	switch said {
	case "invalid_token", "no_service_id":
		e.Message = "the webhook's address is wrong: copy it again from the app's settings"
	case "no_service", "no_active_hooks":
		e.Message = "the webhook was removed or switched off: create another one, and put its address under api_url"
	case "no_team", "team_disabled":
		e.Message = "the webhook's workspace is gone: create a webhook in another one"
	case "user_not_found", "channel_not_found":
		e.Message = "there is no such channel or user: correct channel, or create another webhook"
	case "channel_is_archived":
		e.Message = "the channel is archived: bring it back, or create a webhook for another one"
	case "action_prohibited", "posting_to_general_channel_denied":
		e.Message = "the workspace does not allow this message: its administrator restricts who posts where"
	case "invalid_payload":
		e.Message = "Slack cannot read the message: see what the templates print"
	case "no_text":
		e.Message = "the message is empty: see what the template under text prints"
	case "too_many_attachments":
		e.Message = "Slack finds too many attachments"
	case "msg_too_long":
		e.Class, e.Message = notify.TooLong, "the message is too long"
	default:
		return nil
	}
	return e
}
