package telegram

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"tocsin/pkg/notify"
	"tocsin/pkg/notify/chat"
)

// send delivers one part. A part whose markup Telegram cannot parse is sent again at
// once as plain text, and one to a group that became a supergroup is sent again to its
// new id with a note: the same request would be rejected in every attempt.
func (b *bot) send(ctx context.Context, text string) error {
	r := b.request(text, b.format.mode)
	migrated, e := b.post(ctx, r)
	if migrated != 0 {
		r.ChatID = migrated
		r.Text += "\n\n" + b.format.escape(migrationNote(b.env.Language, migrated))
		_, e = b.post(ctx, r)
	}
	if e != nil && e.Code == codeBadRequest && chat.ContainsAny(e.Message, parseErrors) && r.ParseMode != modePlain {
		r.Text, r.ParseMode = b.format.preview(r.Text), modePlain
		_, e = b.post(ctx, r)
	}
	if e != nil {
		return e
	}
	return nil
}

// post makes one request. It returns the new id of a chat that was migrated.
func (b *bot) post(ctx context.Context, r request) (migrated int64, e *notify.Error) {
	payload, err := notify.EncodeJSON(r)
	if err != nil {
		return 0, notify.AsError(fmt.Errorf("encode the message: %w", err))
	}
	response, err := notify.PostJSON(ctx, b.env.HTTP, b.api, nil, payload)
	if err != nil {
		return 0, notify.AsError(err)
	}
	return checkResponse(response)
}

// checkResponse returns nil when Telegram accepted the message: the status is 200 and
// ok is true.
func checkResponse(r *notify.Response) (migrated int64, e *notify.Error) {
	var body struct {
		OK          *bool  `json:"ok"`
		Code        int    `json:"error_code"`
		Description string `json:"description"`
		Parameters  struct {
			RetryAfter int   `json:"retry_after"`
			Migrated   int64 `json:"migrate_to_chat_id"`
		} `json:"parameters"`
	}
	undecoded := r.Decode(&body)
	if undecoded == nil && body.OK != nil && !*body.OK && body.Code != 0 {
		code, text := strconv.Itoa(body.Code), r.Sanitize(body.Description)
		if e = errorTable.Find(code, text); e != nil {
			if e.Class == notify.Rate {
				e.RetryAfter = min(time.Duration(max(body.Parameters.RetryAfter, 1))*time.Second, maxRetryAfter)
			}
			return body.Parameters.Migrated, chat.WithVendorText(e, "Telegram", text)
		}
	}
	if e = r.StatusError(); e != nil {
		return 0, e
	}
	switch {
	case undecoded != nil:
		return 0, undecoded
	case body.OK == nil:
		return 0, chat.ForeignResponse("Telegram", "ok", r)
	case !*body.OK:
		return 0, chat.WithVendorText(chat.UnknownError("Telegram", strconv.Itoa(body.Code)), "Telegram", r.Sanitize(body.Description))
	}
	return 0, nil
}

// maxRetryAfter limits the wait that a response can ask for.
const maxRetryAfter = time.Hour

const (
	codeBadRequest = "400"
	// parseErrors is what the description of a markup error begins with.
	parseErrors = "can't parse entities"
)

// errorTable has the error_codes of the Bot API. Their descriptions, which distinguish
// errors of one code, are not listed at core.telegram.org/bots/api.
var errorTable = chat.ErrorTable{
	{Codes: "429", Class: notify.Rate, Message: "the bot has sent too much"},
	{Codes: "400", About: []string{parseErrors}, Class: notify.Permanent,
		Message: "Telegram cannot parse the message: check what the template under message prints"},
	{Codes: "400", About: []string{"message is too long"}, Class: notify.TooLong, Message: "the message is too long"},
	{Codes: "400", About: []string{"text is empty", "text must be non-empty"}, Class: notify.Permanent,
		Message: "the message is empty: check what the template under message prints"},
	{Codes: "400", About: []string{"chat not found", "chat_id is empty"}, Class: notify.Permanent,
		Message: "Telegram knows no such chat, or the bot was never in it: correct chat_id (that of a group is negative), and add the bot to the chat"},
	{Codes: "400", About: []string{"upgraded to a supergroup"}, Class: notify.Permanent,
		Message: "the group became a supergroup: put its new number under chat_id"},
	{Codes: "400", About: []string{"thread not found", "topic_closed", "topic_deleted"}, Class: notify.Permanent,
		Message: "the topic does not exist or is closed: correct message_thread_id, or reopen the topic"},
	{Codes: "400", About: []string{"not enough rights", "no rights to send", "write_forbidden", "plain_forbidden"}, Class: notify.Permanent,
		Message: "the bot may not write to the chat: allow it in the chat's permissions"},
	{Codes: "401", Class: notify.Permanent,
		Message: "the bot token is wrong or was revoked: copy it from @BotFather, and put it under bot_token"},
	{Codes: "404", Class: notify.Permanent,
		Message: "there is no such bot: copy bot_token from @BotFather again, and check api_url"},
	{Codes: "403", About: []string{"blocked by the user", "can't initiate conversation"}, Class: notify.Permanent,
		Message: "the user has blocked the bot or never started it: have them press Start in the chat with it"},
	{Codes: "403", About: []string{"deactivated", "chat was deleted"}, Class: notify.Permanent,
		Message: "the chat is gone: put another one under chat_id"},
	{Codes: "403", Class: notify.Permanent, Message: "the bot is not in the chat any more: add it again"},
}

// migrationNote is the note in a message to a chat whose configured id is out of date.
func migrationNote(language string, id int64) string {
	if language == "en" {
		return fmt.Sprintf("This group became a supergroup: put chat_id: %d into the configuration of Tocsin.", id)
	}
	return fmt.Sprintf("本群已升级为超级群组，请把 Tocsin 配置中的 chat_id 改为 %d。", id)
}
