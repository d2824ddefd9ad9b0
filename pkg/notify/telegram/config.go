package telegram

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"tocsin/pkg/notify"
	"tocsin/pkg/notify/chat"
	"tocsin/pkg/setting"
)

// Config is one entry of telegram_configs. The keys are Alertmanager's.
type Config struct {
	notify.CommonConfig `yaml:",inline"`

	// APIURL is the address of the Bot API; default https://api.telegram.org.
	APIURL string `yaml:"api_url,omitempty"`
	// BotToken authenticates the bot. @BotFather shows it.
	BotToken setting.Secret `yaml:"bot_token,omitempty"`
	// ChatID is the chat's number; that of a group or channel is negative. It is a
	// Secret so that chat_id_file can hold it, as in Alertmanager.
	ChatID setting.Secret `yaml:"chat_id,omitempty"`
	// MessageThreadID is the topic of a forum; 0 is the general one.
	MessageThreadID int `yaml:"message_thread_id,omitempty"`
	// Message is a template of the text; default {{ template "telegram.default" . }}.
	// Labels and annotations in it are escaped for ParseMode, and cannot mention
	// anybody.
	Message string `yaml:"message,omitempty"`
	// DisableNotifications delivers messages without a sound.
	DisableNotifications bool `yaml:"disable_notifications,omitempty"`
	// ParseMode is HTML (the default), MarkdownV2, Markdown, or "" for plain text.
	ParseMode *string `yaml:"parse_mode,omitempty"`
}

// Global holds Alertmanager's telegram_ keys of the global section.
type Global struct {
	APIURL   string         `yaml:"telegram_api_url,omitempty"`
	BotToken setting.Secret `yaml:"telegram_bot_token,omitempty"`
}

// Inherit fills in the keys that c leaves out. It must precede Validate.
func (c *Config) Inherit(g Global) {
	c.APIURL = cmp.Or(c.APIURL, g.APIURL)
	c.BotToken = cmp.Or(c.BotToken, g.BotToken)
}

// UnsupportedKeys returns the keys that Alertmanager 0.34 has and Tocsin does not,
// separated by white space.
func (*Config) UnsupportedKeys() string { return "http_config" }

// A bot may send 20 messages a minute to one group (core.telegram.org/bots/faq). Its
// limit of 30 messages a second over all chats is left to Telegram, which responds
// with the time to wait.
var kind = notify.Kind{Name: "telegram", SendResolved: true, Quotas: []notify.Quota{{Messages: 20, Per: time.Minute}}}

// Kind returns what all bots have in common.
func (*Config) Kind() notify.Kind { return kind }

const (
	defaultAPI = "https://api.telegram.org"

	modeHTML       = "HTML"
	modeMarkdownV2 = "MarkdownV2"
	modeMarkdown   = "Markdown"
	modePlain      = ""
)

// Validate adds the faults of c to f, except those of its templates, which New finds.
func (c *Config) Validate(f *setting.Faults) {
	switch token := string(c.BotToken); {
	case token == "":
		f.Addf("bot_token", "is missing: set it here or telegram_bot_token under global; @BotFather shows it, it looks like 123456:ABC-…")
	case !strings.Contains(token, ":") || strings.ContainsAny(token, "/?#% \t\r\n"):
		f.Addf("bot_token", "is not a bot token: copy it from @BotFather, it looks like 123456:ABC-…")
	}
	if c.ChatID == "" {
		f.Addf("chat_id", "is missing: it is the number of the chat, negative for a group or a channel")
	} else if id, err := c.chatID(); err != nil || id == 0 {
		f.Addf("chat_id", "is not the number of a chat: it looks like -1001234567890")
	}
	if c.MessageThreadID < 0 {
		f.Addf("message_thread_id", "must not be negative: it is the number of a topic")
	}
	switch c.parseMode() {
	case modeHTML, modeMarkdownV2, modeMarkdown, modePlain:
	default:
		f.Addf("parse_mode", `%q is not possible: use HTML, MarkdownV2, Markdown or "" for plain text`, c.parseMode())
	}
	u := chat.ParseURL(c.api())
	if u == nil || u.RawQuery != "" || u.Fragment != "" {
		f.Addf("api_url", "is not an https address: it looks like %s", defaultAPI)
		return
	}
	chat.WarnPlainHTTP(f, "api_url", u, "the bot's token")
}

func (c *Config) chatID() (int64, error) { return strconv.ParseInt(string(c.ChatID), 10, 64) }

func (c *Config) parseMode() string {
	if c.ParseMode == nil {
		return modeHTML
	}
	return *c.ParseMode
}

// api returns the address of the Bot API without a slash at its end.
func (c *Config) api() string { return strings.TrimSuffix(cmp.Or(c.APIURL, defaultAPI), "/") }
