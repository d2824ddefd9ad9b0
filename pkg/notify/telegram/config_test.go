package telegram

import (
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"tocsin/pkg/notify/notifytest"
)

func TestValidate(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Config)
		want   []string // "path: message", a warning with "?" before it
	}{
		{"valid", func(*Config) {}, nil},
		{"a private chat", func(c *Config) { c.ChatID = "12345" }, nil},
		{"every parse mode", func(c *Config) { c.ParseMode = parseMode("MarkdownV2") }, nil},
		{"plain text", func(c *Config) { c.ParseMode = parseMode("") }, nil},
		{"no token", func(c *Config) { c.BotToken = "" }, []string{"[bot_token]: is missing"}},
		{"a token without its number", func(c *Config) { c.BotToken = "ABC" }, []string{"[bot_token]: is not a bot token"}},
		{"a token that is a path", func(c *Config) { c.BotToken = token + "/x" }, []string{"[bot_token]: is not a bot token"}},
		{"no chat", func(c *Config) { c.ChatID = "" }, []string{"[chat_id]: is missing"}},
		{"a chat by name", func(c *Config) { c.ChatID = "@alerts" }, []string{"[chat_id]: is not the number of a chat"}},
		{"chat zero", func(c *Config) { c.ChatID = "0" }, []string{"[chat_id]: is not the number of a chat"}},
		{"a negative topic", func(c *Config) { c.MessageThreadID = -1 }, []string{"[message_thread_id]: must not be negative"}},
		{"another parse mode", func(c *Config) { c.ParseMode = parseMode("html") }, []string{`[parse_mode]: "html" is not possible`}},
		{"no address", func(c *Config) { c.APIURL = "api.telegram.org" }, []string{"[api_url]: is not an https address"}},
		{"an address with a query", func(c *Config) { c.APIURL = "https://api.telegram.org/?x=1" }, []string{"[api_url]: is not an https address"}},
		{"plain http", func(c *Config) { c.APIURL = "http://bots.example.com" }, []string{"?[api_url]: is plain http"}},
		{"plain http on this machine", func(c *Config) { c.APIURL = "http://127.0.0.1:8081" }, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := &Config{BotToken: token, ChatID: "-1001234567890"}
			tt.change(c)
			notifytest.CheckFaults(t, c.Validate, tt.want, token)
		})
	}
}

func TestKeys(t *testing.T) {
	var c Config
	err := yaml.Unmarshal([]byte(`
api_url: https://bots.example.com/
bot_token: a:b
chat_id: -100
message_thread_id: 7
message: m
disable_notifications: true
parse_mode: ""
`), &c)
	if err != nil {
		t.Fatal(err)
	}
	if c.api() != "https://bots.example.com" || string(c.BotToken) != "a:b" || string(c.ChatID) != "-100" || c.MessageThreadID != 7 ||
		c.Message != "m" || !c.DisableNotifications || c.parseMode() != "" {
		t.Errorf("got %+v", c)
	}
	var unset Config
	if unset.parseMode() != "HTML" || unset.api() != "https://api.telegram.org" {
		t.Errorf("got parse mode %q and API %q without a configuration, want Alertmanager's defaults", unset.parseMode(), unset.api())
	}
	var g Global
	if err := yaml.Unmarshal([]byte("telegram_api_url: https://g\ntelegram_bot_token: g:g\n"), &g); err != nil {
		t.Fatal(err)
	}
	c.Inherit(g)
	unset.Inherit(g)
	if c.api() != "https://bots.example.com" || string(c.BotToken) != "a:b" || unset.api() != "https://g" || string(unset.BotToken) != "g:g" {
		t.Errorf("got %s and %s after inheriting, want only what was left out from global", c.api(), unset.api())
	}
}

func TestNewErrors(t *testing.T) {
	for want, c := range map[string]Config{
		"message: template \"x\" is not defined": {ChatID: "1", Message: `{{ template "x" . }}`},
		"chat_id: ":                              {ChatID: "x"},
	} {
		if _, err := c.New(notifytest.NewEnv("zh"), nil); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got error %v, want %q", err, want)
		}
	}
}
