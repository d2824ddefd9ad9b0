package config_test

import (
	"encoding"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"tocsin/pkg/config"
)

// exampleEnv has the variables of the examples.
var exampleEnv = map[string]string{
	"TENCENT_SECRET_ID": "AKIDglobal", "TENCENT_SECRET_KEY": "secret-global-key", "CKAFKA_SECRET_ID": "AKIDckafka", "CKAFKA_SECRET_KEY": "secret-ckafka-key",
	"SMS_SECRET_ID": "AKIDsms", "SMS_SECRET_KEY": "secret-sms-key", "SMTP_PASSWORD": "secret-smtp-password", "SMTP_CRAM_SECRET": "secret-smtp-cram",
	"WECOM_KEY": "secret-wecom-key", "HEARTBEAT_KEY": "secret-heartbeat-key", "WECOM_SECRET": "secret-wecom-secret", "SLACK_PATH": "T0/B0/secret-slack-path",
	"HOOK_KEY": "secret-hook-key", "HOOK_SECRET": "c2VjcmV0LWhvb2stc2VjcmV0LXNlY3JldA==", "HOOK_TOKEN": "secret-hook-token", "HOOK_PASSWORD": "secret-hook-password",
	"AGENT_TOKEN": "secret-agent-token", "FALCON_TOKEN": "secret-falcon-token", "DINGTALK_TOKEN": "secret-dingtalk-token", "DINGTALK_SECRET": "SECsecret-dingtalk",
	"TELEGRAM_BOT_TOKEN": "secret-telegram:bot-token", "VOICE_SECRET_ID": "AKIDvoice", "VOICE_SECRET_KEY": "secret-voice-key",
	"REDIS_PASSWORD": "secret-redis-password", "FEISHU_KEY": "secret-feishu-key", "FEISHU_SECRET": "secret-feishu-secret", "KAFKA_PASSWORD": "secret-kafka-password", "KAFKA_CLIENT_SECRET": "secret-kafka-client-secret",
}

// lookupAny returns a value for every variable.
func lookupAny(name string) (string, bool) {
	if value, ok := exampleEnv[name]; ok {
		return value, true
	}
	return "secret-" + strings.ToLower(name), true
}

func TestExamples(t *testing.T) {
	files, err := filepath.Glob("../../examples/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	more, err := filepath.Glob("../../examples/*/tocsin.yaml")
	if err != nil || len(files) < 3 {
		t.Fatalf("got %d examples, %v, want at least 3", len(files), err)
	}
	files = append(files, more...)
	for _, path := range files {
		if _, warnings, err := config.Check(path, lookupAny); err != nil || warnings != nil {
			t.Errorf("%s: got %v and warnings %v, want none", path, err, warnings)
		}
	}
}

// TestFullExampleHasEveryKey: examples/full.yaml is the reference of all keys.
func TestFullExampleHasEveryKey(t *testing.T) {
	data, err := os.ReadFile("../../examples/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var top map[string]any
	if err := yaml.Unmarshal(data, &top); err != nil {
		t.Fatal(err)
	}
	present := map[string]bool{}
	var walk func(key string, v any)
	walk = func(key string, v any) {
		present[key] = true
		switch v := v.(type) {
		case map[string]any:
			for k, x := range v {
				walk(key+"."+k, x)
			}
		case []any:
			for _, x := range v {
				walk(key, x)
			}
		}
	}
	walk("", top)
	for _, key := range keysOf("", reflect.TypeFor[config.Config](), nil) {
		below := strings.Replace(key, ".route.", ".route.routes.", 1) // a key of some route is enough
		if !present[key] && !present[below] {
			t.Errorf("got no %s in examples/full.yaml, want every key", key[1:])
		}
	}
}

// keysOf returns the keys below a type, such as .lag.rules.max_lag.
func keysOf(prefix string, t reflect.Type, above []reflect.Type) []string {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	parsesItself := reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
	if t.Kind() != reflect.Struct || parsesItself || slices.Contains(above, t) {
		return nil
	}
	var keys []string
	for f := range t.Fields() {
		key, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if options == "inline" {
			keys = append(keys, keysOf(prefix, f.Type, append(above, t))...)
			continue
		}
		if key == "-" {
			continue
		}
		keys = append(keys, prefix+"."+key)
		keys = append(keys, keysOf(prefix+"."+key, f.Type, append(above, t))...)
	}
	return keys
}
