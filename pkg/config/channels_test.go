package config_test

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"tocsin/pkg/config"
)

// The table is complete: Integrations returns an entry of every field, whose key is
// derived from the kind as errors and metrics derive it.
func TestChannels(t *testing.T) {
	var r config.Receiver
	table := reflect.ValueOf(&r.Channels).Elem()
	for field, entries := range table.Fields() {
		t.Run(field.Name, func(t *testing.T) {
			if _, ok := reflect.New(entries.Type().Elem()).Interface().(config.Channel); !ok {
				t.Fatalf("*%s does not implement config.Channel", entries.Type().Elem())
			}
			entries.Set(reflect.MakeSlice(entries.Type(), 2, 2))
		})
	}
	got := r.Integrations()
	if want := 2 * table.NumField(); len(got) != want {
		t.Fatalf("got %d integrations, want %d", len(got), want)
	}
	for i, integration := range got {
		field := table.Type().Field(i / 2)
		if key := integration.Kind().Name + "_configs"; field.Tag.Get("yaml") != key+",omitempty" || integration.Index != i%2 {
			t.Errorf("got key %s and index %d, want those of field %s, %d", key, integration.Index, field.Name, i%2)
		}
	}
}

// Telegram's token and chat may come from files, as in Alertmanager, and the token from
// the global section.
func TestTelegramFiles(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{"token": "1:global\n", "own": "2:own\n", "chat": "-1005\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, _, err := config.Parse(filepath.Join(dir, "tocsin.yaml"), []byte(`
global: {telegram_bot_token_file: token, telegram_api_url: https://bots.example.com}
route: {receiver: ops}
receivers:
  - name: ops
    telegram_configs:
      - chat_id_file: chat
      - {bot_token_file: own, chat_id: -1006, api_url: https://own.example.com}
`), lookupIn(nil))
	if err != nil {
		t.Fatal(err)
	}
	inherited, own := c.Receivers[0].Telegram[0], c.Receivers[0].Telegram[1]
	if string(inherited.BotToken) != "1:global" || string(inherited.ChatID) != "-1005" || inherited.APIURL != "https://bots.example.com" {
		t.Errorf("got token %q, chat %q, API %s; want those of the files and of global", string(inherited.BotToken), string(inherited.ChatID), inherited.APIURL)
	}
	if string(own.BotToken) != "2:own" || string(own.ChatID) != "-1006" || own.APIURL != "https://own.example.com" {
		t.Errorf("got token %q, chat %q, API %s; want the entry's own", string(own.BotToken), string(own.ChatID), own.APIURL)
	}
}
